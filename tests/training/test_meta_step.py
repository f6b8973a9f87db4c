"""The training step on the device ``meta``, whose tensors have a shape and no values.

A look at a value (`.item()`, `float()`, `bool()`) raises there, and on a GPU it would wait for the device or break the recording.
Every tensor that a step makes must be made on the device that the run was given.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.training.fit import _Run
from srcnn.training.patches import prepare

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


def run_on_meta(**fields: Any) -> _Run:
    small = {"kernels": (3, 1, 3), "filters": (8, 8), "patch_size": 12, "batch_size": 4, "epoch_pixels": 3000}
    config = TrainConfig(**{**small, "epochs": 3, **fields})
    images = [(name, image[100:148, 100:148]) for name, image in load("sample/train").images if image.ndim == 3][:2]
    data = prepare(images, config.scale, color=config.color)
    return _Run(config, data, (), META, None, recorded=True)


@pytest.fixture(autouse=True)
def optimisers_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = sys.modules[torch.optim.Optimizer.__module__]  # torch.optim hides its name
    supported = optimizer._get_fused_kernels_supported_devices()
    monkeypatch.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: [*supported, "meta"])


CONFIGURATIONS: list[dict[str, Any]] = [
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
]


@pytest.mark.parametrize("fields", CONFIGURATIONS)
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
    assert mode.operations > 100
    everything = [*run.network.parameters(), *run.recorded._all().values()]
    everything += [p.grad for p in run.network.parameters() if p.grad is not None]
    assert {tensor.device for tensor in everything} == {META}


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


def test_a_step_that_looks_at_a_value_fails_here(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_on_meta()
    assert run.recorded is not None
    step = run._train_step
    monkeypatch.setattr(run, "_train_step", lambda batch: step(batch) * float(step(batch)))
    run.network.train()
    run.recorded.load(run.sampler.draw(1, run.generator), [1e-3])
    with pytest.raises(RuntimeError), OnlyOn(META):
        run.recorded()
