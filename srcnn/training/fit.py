"""Training: `fit` yields one result after every epoch. It prints nothing and knows no tracker and no scheduler.

>>> from srcnn import TrainConfig, degrade, load, prepare
>>> images = load("sample/train").images
>>> config = TrainConfig(kernels="5-3", filters="8", scale=3, pixels="60k", epoch_pixels="20k", precision="fp32")
>>> validation = [degrade(images[0][1], 3)]
>>> for result in fit(config, prepare(images[1:], 3), validation=validation, device=torch.device("cpu")):
...     print(result.epoch, result.epochs, result.pixels, result.val_psnr > 20)
1 3 23328 True
2 3 46656 True
3 3 69984 True

The caller may stop after any epoch, save ``result.state()``, and pass it to `fit` later. The resumed run gives the same results
as an uninterrupted one: bit-identical on the same CPU, and on the same GPU with ``deterministic``. Without ``deterministic`` a
GPU chooses its algorithms by timing them, and two runs of one configuration differ in their last bits. This was not tested on a
GPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from srcnn.config.training import TrainConfig
from srcnn.errors import CheckpointError, ConfigError, DeadNetworkError, DivergenceError
from srcnn.evaluation.degradation import Degraded
from srcnn.evaluation.protocol import score
from srcnn.model.network import SRCNN
from srcnn.system.allocator import keep_freed_memory
from srcnn.system.cuda_recorder import CudaRecorder
from srcnn.system.device import arithmetic, autocast, indexed, pick_device, promise_determinism, resolve_precision
from srcnn.training.checkpoint import TrainState
from srcnn.training.optimizers import make_optimizer
from srcnn.training.patches import Batch, PatchSampler, TrainingData
from srcnn.training.pretraining import pretraining_weights, silence_planes
from srcnn.training.recorded_step import RecordedStep, Recorder
from srcnn.training.warm_start import check_start, take_over

__all__ = ["EpochResult", "fit", "step_on"]

_CHECK_EVERY = 64  # steps between checks of the loss: reading it waits for the device


@dataclass(frozen=True)
class EpochResult:
    """Result of one epoch. PSNRs are means over the validation images, in dB; None if there are no validation images."""

    epoch: int  #: number of the epoch, from 1
    epochs: int  #: number of epochs of the run
    step: int  #: optimiser steps since the start of the run
    pixels: int  #: target pixels since the start of the run
    loss: float  #: mean squared error over the targets of the epoch, on planes in [0, 1]
    learning_rate: float  #: learning rate of the last step of the epoch
    seconds: float  #: training time since the start of the run, in seconds, without validation
    val_psnr: float | None
    val_gain: float | None  #: val_psnr minus the PSNR of bicubic upscaling, in dB
    best_epoch: int  #: epoch of the highest val_psnr so far; the last epoch without validation, or in pre-training
    best_val_psnr: float | None
    network: SRCNN  #: the network in training: copy it before the next epoch to keep it
    best_weights: Mapping[str, Tensor]  #: state dict of the network after ``best_epoch``
    taken: tuple[int, ...]  #: layers, counted from 0, that began with the weights of ``start``; empty in a resumed run
    state: Callable[[], TrainState]  #: returns a copy of the training state after this epoch

    @property
    def done(self) -> bool:
        """Whether this is the last epoch of the run."""
        return self.epoch == self.epochs


def fit(
    config: TrainConfig,
    data: TrainingData,
    *,
    validation: Sequence[Degraded] = (),
    state: TrainState | None = None,
    start: Mapping[str, Tensor] | None = None,
    device: torch.device | None = None,
    on_step: Callable[[int, int, int], None] | None = None,
    recorded: bool | None = None,
    recorder: Recorder | None = None,
) -> Iterator[EpochResult]:
    """Train a network and yield a result after every epoch.

    Args:
        config: configuration of the run, with a budget (``epochs`` or ``pixels``).
        data: training images, prepared for the scale, colour and protocol of the configuration.
        validation: images for choosing the best epoch; never test images.
        state: training state of an earlier run of the same configuration, to resume from.
        start: initial weights of a new run: state dict of another `SRCNN`. The layers whose shapes are equal are copied, see
            `srcnn.training.warm_start`; the others are initialized as usual. A resumed run ignores it.
        device: device for the training; None: the current GPU of this process, else the CPU.
        on_step: called every few steps with (epoch, step in the epoch, steps per epoch), for a progress bar.
        recorded: whether to run the steps as a `RecordedStep`; None: on a GPU.
        recorder: recorder for a `RecordedStep`; None: CUDA graphs on a GPU, no recording elsewhere.

    Raises:
        ConfigError: there is no budget, the data was prepared for another scale, colour or protocol, or no layer of ``start``
            has the shape of one of the network.
        DataError: an image is smaller than a sub-image.
        CheckpointError: ``state`` belongs to another configuration.
        DivergenceError: the loss became NaN or infinite.
        DeadNetworkError: no gradient reaches the first layer.
    """
    where = indexed(device) if device else pick_device()
    run = _Run(config, data, validation, where, state, recorded, recorder, start)
    while run.epoch < run.epochs:
        yield run.train_epoch(on_step)


def step_on(device: torch.device, config: TrainConfig, data: TrainingData) -> list[Tensor]:
    """Return the gradients of the first batch of a run, one per weight.

    Works on every device, including ``meta``, where the tensors are empty.
    """
    run = _Run(config, data, (), device, None, recorded=True)
    run.network.train()
    line = torch.zeros(1, dtype=torch.int64, device=device)
    run._backward(run.sampler.draw(1, run.generator).batch(line))
    return [p.grad for p in run.network.parameters() if p.grad is not None]


class _Run:
    """A training run in progress."""

    def __init__(
        self,
        config: TrainConfig,
        data: TrainingData,
        validation: Sequence[Degraded],
        device: torch.device,
        state: TrainState | None,
        recorded: bool | None,
        recorder: Recorder | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        if config.epochs is None and config.pixels is None:
            raise ConfigError("epochs: a run must have a budget in epochs or pixels, but got none")
        for field in ("scale", "color", "protocol"):
            wanted, got = getattr(config, field), getattr(data, field)
            if wanted != got:
                raise ConfigError(f"{field}: the data was prepared for {got!r}, but the configuration says {wanted!r}")
        if device.type == "cpu":
            keep_freed_memory()
        elif device.type == "cuda":
            promise_determinism()  # in every run: a later run in this process may be deterministic
        self.config, self.device, self.validation = config, device, validation
        self.sampler = PatchSampler(config, data, device)
        per_epoch = self.sampler.steps_per_epoch
        if config.epochs is not None:
            self.steps, self.epochs = config.epochs * per_epoch, config.epochs
        else:
            assert config.pixels is not None
            self.steps = math.ceil(config.pixels / self.sampler.pixels_per_step)
            length = config.epoch_pixels or per_epoch * self.sampler.pixels_per_step
            self.epochs = min(self.steps, max(1, round(config.pixels / length)))
        self.pretraining = 0  # number of steps with only the planes of pretrain in the loss
        self.plane_weights: Tensor | None = None
        if config.pretrain != "none":
            self.pretraining = min(
                int(config.pretrain_share * self.steps), self.steps - 1
            )  # at least one step of fine-tuning
            self.plane_weights = pretraining_weights(config)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.network = SRCNN(config.architecture)
        self.network.initialize(config.initialization, config.init_std, self.generator)
        if state is None:
            check_start(config, start)
        # After the random draws, so that the batches are those of a run without it.
        self.taken = take_over(self.network, start) if start is not None and state is None else ()
        if self.plane_weights is not None:
            silence_planes(self.network, self.plane_weights)
            self.plane_weights = self.plane_weights.to(device)
        self.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(config, self.network)
        self.recorded: RecordedStep | None = None
        wanted = device.type == "cuda" or recorder is not None
        if wanted if recorded is None else recorded:
            for group in self.optimizer.param_groups:
                group["lr"] = torch.zeros((), device=device)
            if recorder is None and device.type == "cuda":
                recorder = CudaRecorder(device)
            longest = math.ceil(self.steps / self.epochs)
            self.recorded = RecordedStep(self._step_at, self._changes, longest, device, recorder)
        self.precision = resolve_precision(config.precision, device)
        self.epoch, self.step, self.seconds = 0, 0, 0.0
        self.best_epoch, self.best_psnr = 0, -math.inf
        self.best_weights: dict[str, Tensor] = {}
        if state is not None:
            self._restore(state)
        self.bicubic_psnr = float(np.mean([score(None, i, with_ssim=False).psnr for i in validation] or [0.0]))

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        config, progress = self.config, step / self.steps
        rise = config.warmup * self.steps
        if step < rise:
            return config.learning_rate * (step + 1) / (math.floor(rise) + 1)
        if config.schedule == "constant":
            return config.learning_rate
        if config.schedule == "step":
            drops = sum(progress >= at for at in config.step_at)
            return config.learning_rate * config.step_factor**drops
        return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))

    def train_epoch(self, on_step: Callable[[int, int, int], None] | None = None) -> EpochResult:
        started = time.perf_counter()
        end = self._end_of(self.epoch + 1)
        count = end - self.step
        plan = self.sampler.draw(count, self.generator)
        # In float32, like the table on the device, so that plain and recorded steps are bit-identical.
        rates = [float(np.float32(self.rate_at(step))) for step in range(self.step, end)]
        self.network.train()
        with arithmetic(search=True, deterministic=self.config.deterministic):
            total = torch.zeros((), device=self.device) if self.recorded is None else self.recorded.load(plan, rates)
            for i, rate in enumerate(rates):
                if self.plane_weights is not None and self.step == self.pretraining:
                    self._begin_fine_tuning(self.plane_weights)
                if self.recorded is None:
                    for group in self.optimizer.param_groups:
                        group["lr"] = float(np.float32(rate) * np.float32(group["factor"]))
                    total += self._train_step(plan.batch(i))
                else:
                    self.recorded()
                self.step += 1
                if on_step is not None and (i % 8 == 7 or i + 1 == count):
                    on_step(self.epoch + 1, i + 1, count)
                if (i + 1) % _CHECK_EVERY == 0 and not math.isfinite(float(total)):
                    break
        loss = float(total) / (i + 1)
        self.seconds += time.perf_counter() - started
        self.epoch += 1
        if not math.isfinite(loss):
            raise DivergenceError(
                f"loss is {loss} at step {self.step} (epoch {self.epoch}), probably because the learning rate is too high"
            )
        if self._is_dead():
            raise DeadNetworkError(
                f"no gradient reaches the first layer at step {self.step} (epoch {self.epoch}): all units of a layer output zero"
            )
        return self._result(loss, self.rate_at(self.step - 1))

    def _end_of(self, epoch: int) -> int:
        """Return the number of steps after an epoch. All epochs have equal length, whatever the budget."""
        return round(self.steps * epoch / self.epochs)

    def _begin_fine_tuning(self, plane_weights: Tensor) -> None:
        """Extend the loss to all planes. The tensors change in place, because a recorded step refers to them.

        The moments are reset, as in a new run. Otherwise Adam's second moments of the planes without a loss would be near zero,
        and their weights would move several times as far as the learning rate specifies.
        """
        plane_weights.fill_(1.0)
        for slots in self.optimizer.state.values():
            for value in slots.values():
                value.zero_()

    def _changes(self) -> dict[str, Tensor]:
        """Return the tensors that a step changes, by name."""
        found: dict[str, Tensor] = {f"weight {name}": value for name, value in self.network.named_parameters()}
        found |= {f"gradient {name}": p.grad for name, p in self.network.named_parameters() if p.grad is not None}
        for i, slots in enumerate(self.optimizer.state.values()):
            found |= {f"{slot} {i}": value for slot, value in slots.items() if isinstance(value, Tensor)}
        return found

    def _step_at(self, batch: Batch, rate: Tensor) -> Tensor:
        """Call `_train_step` with a learning rate that is a tensor on the device."""
        for group in self.optimizer.param_groups:
            torch.mul(rate, group["factor"], out=group["lr"])
        return self._train_step(batch)

    def _train_step(self, batch: Batch) -> Tensor:
        """Do one optimiser step. Return the mean squared error of the batch, without waiting for the device."""
        mse = self._backward(batch)
        self.optimizer.step()
        return mse

    def _backward(self, batch: Batch) -> Tensor:
        """Compute the gradients of a batch. Return its mean squared error."""
        with autocast(self.device, enabled=self.precision == "bf16"):
            output = self.network(batch.x, batch.base)
        mse = F.mse_loss(output.float(), batch.target)
        loss = mse
        if self.plane_weights is not None:
            loss = ((output.float() - batch.target).square() * self.plane_weights).mean()
        if self.config.reduction == "euclidean":  # Caffe: half the sum of squares of a sub-image, mean over the batch
            loss = loss * (0.5 * batch.target[0].numel())
        for parameter in self.network.parameters():
            parameter.grad = None  # as optimizer.zero_grad() does, in a tenth of the time
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        return mse.detach()

    def _is_dead(self) -> bool:
        # Biases too: for a black sub-image the weights of the first layer have no gradient even if it works.
        gradients = [parameter.grad for parameter in self.network.convolutions[0].parameters()]
        return not any(bool(gradient.any()) for gradient in gradients if gradient is not None)

    def _result(self, loss: float, rate: float) -> EpochResult:
        psnr: float | None = None
        if self.validation:
            # bf16 halves the time. It changes the PSNR of a residual network by 0.001 dB, and that of a network that outputs
            # the whole image by 0.01 dB, which is too much.
            fast = self.precision == "bf16" and self.config.residual
            with autocast(self.device, enabled=fast):
                psnr = float(np.mean([score(self.network, image, with_ssim=False).psnr for image in self.validation]))
        # The first epoch after pre-training replaces every earlier one, in which the other planes were not trained.
        early = 0 < self._end_of(self.best_epoch) <= self.pretraining
        if psnr is None or psnr > self.best_psnr or early:
            self.best_epoch, self.best_psnr = self.epoch, -math.inf if psnr is None else psnr
            self.best_weights = _copy(self.network.state_dict())
        return EpochResult(
            epoch=self.epoch,
            epochs=self.epochs,
            step=self.step,
            pixels=self.step * self.sampler.pixels_per_step,
            loss=loss,
            learning_rate=rate,
            seconds=self.seconds,
            val_psnr=psnr,
            val_gain=None if psnr is None else psnr - self.bicubic_psnr,
            best_epoch=self.best_epoch,
            best_val_psnr=None if psnr is None else self.best_psnr,
            network=self.network,
            best_weights=self.best_weights,
            taken=self.taken,
            state=self.state,
        )

    def state(self) -> TrainState:
        tensors = {f"network.{k}": v for k, v in _copy(self.network.state_dict()).items()}
        tensors |= {f"best.{k}": v for k, v in self.best_weights.items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": v.detach().cpu().clone() for k, v in slots.items()}
        tensors["generator"] = self.generator.get_state()
        numbers = {
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
            "best_epoch": self.best_epoch,
            "best_psnr": self.best_psnr if math.isfinite(self.best_psnr) else None,
        }
        return TrainState(self.config, tensors, numbers)

    def _restore(self, state: TrainState) -> None:
        if state.config != self.config:
            changed = [f for f in TrainConfig.model_fields if getattr(state.config, f) != getattr(self.config, f)]
            raise CheckpointError(
                f"the training state belongs to another configuration, different in {', '.join(changed)}"
            )

        def part(prefix: str) -> dict[str, Tensor]:
            return {k[len(prefix) :]: v for k, v in state.tensors.items() if k.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.best_weights = part("best.")
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in part("optimizer.").items():
            index, slot = name.split(".")
            if value.dim():  # fused optimisers need moments in the memory layout of their weights
                value = torch.empty_like(weights[int(index)], device="cpu").copy_(value)
            slots.setdefault(int(index), {})[slot] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": slots})
        self.generator.set_state(state.tensors["generator"])
        self.epoch, self.step = state.numbers["epoch"], state.numbers["step"]
        self.seconds, self.best_epoch = state.numbers["seconds"], state.numbers["best_epoch"]
        if self.plane_weights is not None and self.step > self.pretraining:
            self.plane_weights.fill_(1.0)
        best = state.numbers["best_psnr"]
        self.best_psnr = -math.inf if best is None else best


def _copy(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in weights.items()}
