"""A recorded step proves itself before it is used; recorders that are right, wrong and unable, without a GPU."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.training.fit import EpochResult, fit
from srcnn.training.patches import prepare
from srcnn.training.recorded_step import RecordedStep, Recorder, RecordingWarning
from srcnn.training.run import Run

CPU = torch.device("cpu")


class Right:
    """What a GPU does: the replay is the step, on whatever the tables then hold."""

    def __init__(self) -> None:
        self.ran = self.replayed = self.recordings = self.closed = 0

    def run(self, body: Callable[[], None]) -> None:
        self.ran += 1
        body()

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        self.recordings += 1

        def replay() -> None:
            self.replayed += 1
            body()

        return replay

    def close(self) -> None:
        self.closed += 1


class Wrong(Right):
    """A replay with something of the recording's moment kept, or without effect."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.steps: RecordedStep | None = None

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        right, steps = super().record(body), self.steps
        assert steps is not None
        rates, line = steps._rates.clone(), steps._line.clone()

        def nothing() -> None:
            self.replayed += 1

        def no_update() -> None:
            kept = {name: value.clone() for name, value in steps._changes().items() if name.startswith("weight")}
            right()
            with torch.no_grad():
                for name, value in steps._changes().items():
                    if name in kept:
                        value.copy_(kept[name])

        def old_rate() -> None:
            now, at = steps._rates.clone(), steps._line.clone()
            steps._rates.fill_(float(rates[int(line)]))
            right()
            steps._rates.copy_(now)
            assert torch.equal(steps._line, at + 1)

        def old_batch() -> None:
            at, now = steps._line.clone(), steps._rates.clone()
            steps._rates.fill_(float(now[int(at)]))
            steps._line.copy_(line)
            right()
            steps._line.copy_(at + 1)
            steps._rates.copy_(now)

        def one_line_too_few() -> None:
            at = steps._line.clone()
            right()
            steps._line.copy_(at)

        def breaks() -> None:
            raise RuntimeError("CUDA error: invalid argument\nCompile with TORCH_USE_CUDA_DSA")

        kinds = {f.__name__: f for f in (nothing, no_update, old_rate, old_batch, one_line_too_few, breaks)}
        return kinds[self.kind]


class Unable(Right):
    """A recording that fails in the middle, as a look at a value does; what it did until then stays done."""

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        body()
        try:
            raise RuntimeError("operation not permitted when stream is capturing\n(more lines)")
        finally:
            # torch ends the recording, which fails as well
            raise RuntimeError("capture_end failed")


def configured(**fields: Any) -> TrainConfig:
    small = {"kernels": (3, 1, 3), "filters": (8, 8), "patch_size": 12, "batch_size": 4, "epoch_pixels": 3000}
    return TrainConfig(**{**small, "optimizer": "adam", "epochs": 3, "warmup": 0.1, **fields})


def started(config: TrainConfig, recorder: Recorder | None) -> Iterator[EpochResult]:
    images = [(name, image[100:148, 100:148]) for name, image in load("sample/train").images if image.ndim == 3][:2]
    data = prepare(images, config.scale, color=config.color)
    run = Run(config, data, (), CPU, None, recorded=recorder is not None, recorder=recorder)
    if isinstance(recorder, Wrong):
        recorder.steps = run.recorded
    while run.epoch < run.epochs:
        yield run.train_epoch()


def everything(result: EpochResult) -> dict[str, Tensor]:
    state = result.state()
    numbers = {k: torch.tensor(v, dtype=torch.float64) for k, v in state.numbers.items() if k in ("epoch", "step")}
    losses = {"loss": torch.tensor(result.loss, dtype=torch.float64)}
    gradients = {f"gradient {n}": p.grad.clone() for n, p in result.network.named_parameters() if p.grad is not None}
    return {**{k: v.clone() for k, v in state.tensors.items()}, **numbers, **losses, **gradients}


def assert_same_bits(a: list[dict[str, Tensor]], b: list[dict[str, Tensor]]) -> None:
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            assert torch.equal(one[name], other[name]), name


CONFIGURATIONS: list[dict[str, Any]] = [
    {"optimizer": "muon", "weight_decay": 3.0},
    {"optimizer": "adam", "clip": 1.0},
    {"optimizer": "sgd", "layer_rates": (0.1,)},
    {"optimizer": "muon", "upsampling": "pixel_shuffle", "patch_size": 24, "residual": True},
    {"optimizer": "adam", "color": "ycbcr", "pretrain": "cbcr", "pretrain_share": 0.6},
    {"optimizer": "muon", "ema": 0.1, "expansion": 2, "clip": 1.0, "weight_decay": 2.0},
    {"optimizer": "adam", "loss": "charbonnier", "mse_share": 0.5, "ema": 0.2},
]


@pytest.mark.parametrize("fields", CONFIGURATIONS)
def test_a_proven_recording_trains_to_the_same_bits_as_plain_steps(fields: dict[str, Any]) -> None:
    recorder = Right()
    plain = [everything(result) for result in started(configured(**fields), None)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recorded = [everything(result) for result in started(configured(**fields), recorder)]
    assert_same_bits(plain, recorded)
    steps = int(plain[-1]["step"])
    # Four to warm up; one real step and one for the proof before the recording; the proof's replay, and all other steps.
    assert (recorder.ran, recorder.recordings, recorder.replayed) == (4 + 2, 1, 1 + steps - 5)


def test_sub_images_of_another_size_are_another_recording() -> None:
    fields: dict[str, Any] = {"late_patch_size": 20, "late_share": 0.5, "ema": 0.3, "epochs": 2}
    recorder = Right()
    plain = [everything(result) for result in started(configured(**fields), None)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recorded = [everything(result) for result in started(configured(**fields), recorder)]
    assert_same_bits(plain, recorded)
    steps = int(plain[-1]["step"])
    assert (recorder.ran, recorder.recordings, recorder.replayed) == (2 * 6, 2, 2 + steps - 10)


@pytest.mark.parametrize("epochs", [1, 6])
def test_the_proof_leaves_no_trace_at_the_end_of_an_epoch(epochs: int) -> None:
    """Its own batch must not be in the gradients that the look for dead layers reads."""
    config = configured(epochs=epochs, epoch_pixels=5 * 4 * 64.0 if epochs == 1 else 4 * 64.0)
    plain = [everything(result) for result in started(config, None)]
    assert int(plain[-1]["step"]) in (5, 6)
    assert_same_bits(plain, [everything(result) for result in started(config, Right())])


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("nothing", "its index"),
        ("no_update", "weight layers.0."),
        ("old_rate", "weight layers.0."),
        ("old_batch", " layers."),
        ("one_line_too_few", "its index"),
        ("breaks", "CUDA error: invalid argument"),
    ],
)
@pytest.mark.parametrize("optimizer", ["muon", "adam", "sgd"])
def test_a_wrong_recording_is_not_used_and_leaves_no_trace(kind: str, says: str, optimizer: str) -> None:
    config, recorder = configured(optimizer=optimizer), Wrong(kind)
    plain = [everything(result) for result in started(config, None)]
    with pytest.warns(RecordingWarning, match="steps are not recorded") as caught:
        recorded = [everything(result) for result in started(config, recorder)]
    assert_same_bits(plain, recorded)
    assert len(caught) == 1
    assert says in str(caught[0].message)
    assert recorder.replayed <= 1
    assert recorder.closed == 1


def test_where_nothing_can_be_recorded_plain_steps_go_on() -> None:
    config, recorder = configured(optimizer="muon"), Unable()
    plain = [everything(result) for result in started(config, None)]
    with pytest.warns(UserWarning, match="more slowly: operation not permitted when stream is capturing$") as caught:
        recorded = [everything(result) for result in started(config, recorder)]
    assert_same_bits(plain, recorded)
    assert len(caught) == 1
    assert recorder.ran == 4 + 2  # the steps after that ran on the main stream
    assert recorder.closed == 1


def test_fit_takes_a_recorder() -> None:
    recorder, config = Right(), configured(epochs=2)
    images = [(name, image[100:148, 100:148]) for name, image in load("sample/train").images if image.ndim == 3][:1]
    for _ in fit(config, prepare(images, 3), device=CPU, recorder=recorder):
        pass
    assert recorder.recordings == 1


def test_rounding_passes_where_a_half_rate_does_not() -> None:
    """A GPU adds up gradients in any order: 1e-4 of a change is no fault."""

    class Noisy(Right):
        def __init__(self, error: float) -> None:
            super().__init__()
            self.error = error
            self.steps: RecordedStep | None = None

        def record(self, body: Callable[[], None]) -> Callable[[], None]:
            assert self.steps is not None
            right, steps = super().record(body), self.steps

            def replay() -> None:
                before = {name: value.clone() for name, value in steps._changes().items()}
                right()
                with torch.no_grad():
                    for name, value in steps._changes().items():
                        noise = torch.randn(value.shape, generator=torch.Generator().manual_seed(1))
                        if value.dim() and name.startswith(("weight", "gradient", "momentum")):
                            value.add_(self.error * (value - before[name]).norm() / noise.norm() * noise)

            return replay

    for error, trusted in ((1e-4, True), (0.2, False)):
        recorder, config = Noisy(error), configured(optimizer="muon")
        images = [(name, image[100:148, 100:148]) for name, image in load("sample/train").images if image.ndim == 3]
        run = Run(config, prepare(images[:1], 3), (), CPU, None, recorded=True, recorder=recorder)
        recorder.steps = run.recorded
        assert run.recorded is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run.train_epoch()
        assert run.recorded.replays == trusted


# The step on the device ``meta``, whose tensors have a shape and no values. A look at a value (`.item()`, `float()`, `bool()`)
# raises there; on a GPU it would wait for the device or break the recording.


META = torch.device("meta")


class OnlyOn(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Fails where an operation makes a tensor on another device; counts the operations."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._device = device
        self.operations = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.operations += 1
        if "_fused_" in str(func):
            # The optimisers' own kernels, which change tensors in place, are not written for this device. A rate or a count
            # elsewhere would be fetched: that waits.
            made, looked_at = None, (args, kwargs)
        else:
            made = looked_at = func(*args, **(kwargs or {}))
        for value in tree_leaves(looked_at):
            if isinstance(value, Tensor):
                assert value.device == self._device, f"{func} has a tensor on {value.device}"
        return made


def run_on_meta(**fields: Any) -> Run:
    small = {"kernels": (3, 1, 3), "filters": (8, 8), "patch_size": 12, "batch_size": 4, "epoch_pixels": 3000}
    config = TrainConfig(**{**small, "epochs": 3, **fields})
    images = [(name, image[100:148, 100:148]) for name, image in load("sample/train").images if image.ndim == 3][:2]
    data = prepare(images, config.scale, color=config.color)
    return Run(config, data, (), META, None, recorded=True)


@pytest.fixture
def optimisers_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = sys.modules[torch.optim.Optimizer.__module__]  # torch.optim hides its name
    supported = optimizer._get_fused_kernels_supported_devices()
    monkeypatch.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: [*supported, "meta"])


ON_META: list[dict[str, Any]] = [
    {"optimizer": "muon", "residual": True},
    {"optimizer": "muon", "residual": False, "clip": 1.0, "layer_rates": (0.1,)},
    {"optimizer": "adam", "clip": 0.5},
    {"optimizer": "sgd", "reduction": "euclidean"},
    {"optimizer": "sgd", "momentum": 0.0, "clip": 1.0},
    {"optimizer": "adam", "upsampling": "pixel_shuffle", "patch_size": 24, "residual": True},
    {"optimizer": "muon", "upsampling": "pixel_shuffle", "patch_size": 24, "residual": False},
    {"optimizer": "muon", "padding": "zeros", "augment": False, "stride": 6},
    {"optimizer": "adam", "color": "ycbcr", "pretrain": "cbcr", "pretrain_share": 0.5},
    {"optimizer": "muon", "color": "rgb", "kernels": (3, 3), "filters": (6,)},
    {"optimizer": "muon", "kernels": (3, 1, 1, 3), "filters": (8, 4, 6), "schedule": "step", "step_at": (0.5,)},
    {"optimizer": "muon", "loss": "l1", "mse_share": 0.5, "ema": 0.1},
    {"optimizer": "adam", "loss": "charbonnier", "color": "ycbcr", "pretrain": "y"},
    {"optimizer": "muon", "expansion": 2, "clip": 1.0, "upsampling": "pixel_shuffle", "patch_size": 24},
    {"optimizer": "sgd", "expansion": 3, "ema": 0.5},
    {"optimizer": "muon", "loss": "psnr", "mse_share": 0.5, "activation": "prelu"},
    {"optimizer": "muon", "activation": "prelu", "layer_rates": (0.1,)},
]


@pytest.mark.usefixtures("optimisers_as_on_a_gpu")
@pytest.mark.parametrize("fields", ON_META)
def test_a_step_waits_for_nothing_and_stays_on_its_device(fields: dict[str, Any]) -> None:
    run = run_on_meta(**fields)
    assert run.recorded is not None
    run.network.train()
    run.recorded.load(run.sampler.draw(3, run.generator), [1e-3, 1e-3, 1e-4])
    with OnlyOn(META) as mode:
        for _ in range(3):  # the first makes the moments
            run.recorded()
        if run.plane_weights is not None:
            run._begin_fine_tuning(run.plane_weights)
        if run.mse_part is not None:
            run._begin_mse(run.mse_part)
    assert mode.operations > 100
    everything = [*run.network.parameters(), *run.recorded._all().values()]
    everything += [p.grad for p in run.network.parameters() if p.grad is not None]
    assert {tensor.device for tensor in everything} == {META}


@pytest.mark.usefixtures("optimisers_as_on_a_gpu")
@pytest.mark.parametrize("fields", [{}, {"upsampling": "pixel_shuffle", "patch_size": 24}, {"color": "ycbcr"}])
def test_a_network_evaluates_on_its_device(fields: dict[str, Any]) -> None:
    network = run_on_meta(**fields).network.eval()
    config = network.config
    x = torch.zeros(1, config.channels, 96, 96, device=META)
    small = torch.zeros(1, config.channels, 96 // config.scale, 96 // config.scale, device=META)
    with torch.inference_mode(), OnlyOn(META):
        out = network(small, x) if config.upsampling == "pixel_shuffle" else network(x)
    assert out.shape == x.shape


def test_what_the_test_looks_for_is_seen() -> None:
    value = torch.zeros((), device=META)
    for look in (float, bool, Tensor.item):
        with pytest.raises(RuntimeError):
            look(value)
    with pytest.raises(AssertionError, match="has a tensor on cpu"), OnlyOn(META):
        torch.zeros(3)


@pytest.mark.usefixtures("optimisers_as_on_a_gpu")
def test_a_step_that_looks_at_a_value_fails_here(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_on_meta()
    assert run.recorded is not None
    step = run._train_step
    monkeypatch.setattr(run, "_train_step", lambda batch: step(batch) * float(step(batch)))
    run.network.train()
    run.recorded.load(run.sampler.draw(1, run.generator), [1e-3])
    with pytest.raises(RuntimeError), OnlyOn(META):
        run.recorded()
