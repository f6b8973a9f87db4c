"""A training run in progress: its network, optimiser, sub-images and state. `srcnn.training.fit.fit` is the way to use it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from srcnn.config.training import TrainConfig
from srcnn.errors import CheckpointError, ConfigError, DataError, DeadNetworkError, DivergenceError
from srcnn.evaluation.degradation import Degraded
from srcnn.evaluation.protocol import score
from srcnn.model.network import SRCNN
from srcnn.system.allocator import keep_freed_memory
from srcnn.system.cuda_recorder import CudaRecorder
from srcnn.system.device import arithmetic, autocast, promise_determinism, resolve_precision
from srcnn.training.checkpoint import TrainState
from srcnn.training.epoch_result import EpochResult
from srcnn.training.expansion import Expansion
from srcnn.training.losses import training_loss
from srcnn.training.memory import check_epoch, check_step
from srcnn.training.optimizers import make_optimizer
from srcnn.training.patches import Batch, PatchSampler, TrainingData
from srcnn.training.pretraining import pretraining_weights, silence_planes
from srcnn.training.recorded_step import RecordedStep, Recorder
from srcnn.training.schedule import make_schedule
from srcnn.training.warm_start import check_start, take_over
from srcnn.training.weight_average import WeightAverage

__all__ = ["Run"]

_CHECK_EVERY = 64  # steps between checks of the loss: reading it waits for the device


class Run:
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
        for field in ("scale", "color", "protocol"):
            wanted, got = getattr(config, field), getattr(data, field)
            if wanted != got:
                raise ConfigError(f"{field}: the data was prepared for {got!r}, but the configuration says {wanted!r}")
        if device.type == "cpu":
            keep_freed_memory()
        elif device.type == "cuda":
            promise_determinism()  # in every run: a later run in this process may be deterministic
        check_step(config, device)
        _check_values(data, validation)
        self.config, self.device, self.validation = config, device, validation
        self.sampler = PatchSampler(config, data, device)
        late = config.late
        self.late_sampler = None if late is None else PatchSampler(late, data, device, self.sampler)
        self.schedule = make_schedule(
            config,
            steps_per_epoch=self.sampler.steps_per_epoch,
            pixels_per_step=self.sampler.pixels_per_step,
            late_pixels_per_step=None if self.late_sampler is None else self.late_sampler.pixels_per_step,
        )
        self.epochs = self.schedule.epochs
        check_epoch(config, math.ceil(self.schedule.steps / self.epochs))
        self.plane_weights = None if config.pretrain == "none" else pretraining_weights(config)
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
        self.expansion: Expansion | None = None
        if config.expansion:
            self.expansion = Expansion(self.network, config.expansion, config.seed)
            self.expansion.collapse(self.network)  # equal to before but for rounding
            self.expansion.to(device)
        self.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: WeightAverage | None = None
        if config.ema:
            self.average = WeightAverage(self.network, config.ema * self.schedule.steps)
        self.mse_part: Tensor | None = None
        if self.schedule.mse_from < self.schedule.steps:
            self.mse_part = torch.zeros((), device=device)
        self.optimizer = make_optimizer(config, self.network, self.expansion)
        self.trained = list(self.network.parameters())  # in this order: it decides the last bit of a gradient norm
        if self.expansion is not None:
            replaced = {id(layer.weight) for layer in self.network.convolutions}
            self.trained = [*self.expansion.parameters(), *(p for p in self.trained if id(p) not in replaced)]
        self.recorder = recorder
        wanted = device.type == "cuda" or recorder is not None
        self.recorded = self._recorded_step() if (wanted if recorded is None else recorded) else None
        if self.recorded is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = torch.zeros((), device=device)
        self.precision = resolve_precision(config.precision, device)
        self.epoch, self.step, self.seconds = 0, 0, 0.0
        self.best_epoch, self.best_psnr = 0, -math.inf
        self.best_weights: dict[str, Tensor] = {}
        if state is not None:
            self._restore(state)
        self.bicubic_psnr = float(np.mean([score(None, i, with_ssim=False).psnr for i in validation] or [0.0]))

    def _recorded_step(self) -> RecordedStep:
        """Return a step for sub-images of the present size. Another size needs other tables and another recording."""
        recorder = self.recorder
        if recorder is None and self.device.type == "cuda":
            recorder = CudaRecorder(self.device)
        longest = math.ceil(self.schedule.steps / self.epochs)
        return RecordedStep(self._step_at, self._changes, longest, self.device, recorder)

    @property
    def shown(self) -> SRCNN:
        """The network that is validated and saved."""
        return self.network if self.average is None else self.average.network

    def train_epoch(self, on_step: Callable[[int, int, int], None] | None = None) -> EpochResult:
        started = time.perf_counter()
        begin, end = self.step, self.schedule.end_of(self.epoch + 1)
        self.network.train()
        with arithmetic(search=True, deterministic=self.config.deterministic):
            total = 0.0
            for first, last in self.schedule.parts(begin, end):
                total += self._train_part(first, last, (begin, end), on_step)
                if not math.isfinite(total):
                    break
        loss = total / (self.step - begin)
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
        return self._result(loss, self.schedule.rate_at(self.step - 1))

    def _train_part(
        self, first: int, last: int, epoch: tuple[int, int], on_step: Callable[[int, int, int], None] | None
    ) -> float:
        """Train from step ``first`` to before ``last`` with sub-images of one size. Return the sum of the mean squared errors."""
        if first == self.schedule.late_from:
            self._begin_late()
        begin, end = epoch
        plan = self.sampler.draw(last - first, self.generator)
        # In float32, like the table on the device, so that plain and recorded steps are bit-identical.
        rates = [float(np.float32(self.schedule.rate_at(step))) for step in range(first, last)]
        total = torch.zeros((), device=self.device) if self.recorded is None else self.recorded.load(plan, rates)
        for i, rate in enumerate(rates):
            if self.plane_weights is not None and self.step == self.schedule.pretraining:
                self._begin_fine_tuning(self.plane_weights)
            if self.mse_part is not None and self.step == self.schedule.mse_from:
                self._begin_mse(self.mse_part)
            if self.recorded is None:
                for group in self.optimizer.param_groups:
                    group["lr"] = float(np.float32(rate) * np.float32(group["factor"]))
                total += self._train_step(plan.batch(i))
            else:
                self.recorded()
            self.step += 1
            done = self.step - begin
            if on_step is not None and (done % 8 == 0 or self.step == end):
                on_step(self.epoch + 1, done, end - begin)
            if done % _CHECK_EVERY == 0 and not math.isfinite(float(total)):
                break
        return float(total)

    def _begin_late(self) -> None:
        """Go over to the sub-images of ``late_patch_size``."""
        if self.late_sampler is not None:
            self.sampler = self.late_sampler
            self.recorded = None if self.recorded is None else self._recorded_step()

    def _begin_fine_tuning(self, plane_weights: Tensor) -> None:
        """Extend the loss to all planes. The tensors change in place, because a recorded step refers to them.

        The moments are reset, as in a new run. Otherwise Adam's second moments of the planes without a loss would be near zero,
        and their weights would move several times as far as the learning rate specifies.
        """
        plane_weights.fill_(1.0)
        self._reset_moments()

    def _begin_mse(self, mse_part: Tensor) -> None:
        """Change the loss to the mean squared error, in place.

        Its gradients are much smaller than those of an absolute error: with the old second moments Adam would make tiny steps
        until they are forgotten. So the moments are reset here too.
        """
        mse_part.fill_(1.0)
        self._reset_moments()

    def _reset_moments(self) -> None:
        for slots in self.optimizer.state.values():
            for value in slots.values():
                value.zero_()

    def _changes(self) -> dict[str, Tensor]:
        """Return the tensors that a step changes, by name."""
        found: dict[str, Tensor] = {f"weight {name}": value for name, value in self.network.named_parameters()}
        found |= {f"gradient {name}": p.grad for name, p in self.network.named_parameters() if p.grad is not None}
        if self.expansion is not None:
            blocks = list(self.expansion.named_parameters(prefix="expansion"))
            found |= {f"weight {name}": value for name, value in blocks}
            found |= {f"gradient {name}": p.grad for name, p in blocks if p.grad is not None}
        if self.average is not None:
            found |= self.average.changes()
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
        mse = self.backward(batch)
        self.optimizer.step()
        if self.expansion is not None:
            self.expansion.collapse(self.network)
        if self.average is not None:
            self.average.update()
        return mse

    def backward(self, batch: Batch) -> Tensor:
        """Compute the gradients of a batch. Return its mean squared error."""
        with autocast(self.device, enabled=self.precision == "bf16"):
            output = self.network(batch.x, batch.base)
        loss, mse = training_loss(self.config, output, batch.target, self.plane_weights, self.mse_part)
        for parameter in self.network.parameters():
            parameter.grad = None  # as optimizer.zero_grad() does, in a tenth of the time
        loss.backward()  # type: ignore[no-untyped-call]
        if self.expansion is not None:
            self.expansion.pull_back(self.network)
        if self.config.clip is not None:
            norm = nn.utils.clip_grad_norm_(self.trained, self.config.clip)
            if self.expansion is not None:
                self.expansion.scale_gradients(self.network, (self.config.clip / (norm + 1e-6)).clamp(max=1.0))
        return mse

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
                psnr = float(np.mean([score(self.shown, image, with_ssim=False).psnr for image in self.validation]))
        # The first epoch after pre-training replaces every earlier one, in which the other planes were not trained.
        early = 0 < self.schedule.end_of(self.best_epoch) <= self.schedule.pretraining
        if psnr is None or psnr > self.best_psnr or early:
            self.best_epoch, self.best_psnr = self.epoch, -math.inf if psnr is None else psnr
            self.best_weights = _copy(self.shown.state_dict())
        return EpochResult(
            epoch=self.epoch,
            epochs=self.epochs,
            step=self.step,
            pixels=self.schedule.pixels_at(self.step),
            loss=loss,
            learning_rate=rate,
            seconds=self.seconds,
            val_psnr=psnr,
            val_gain=None if psnr is None else psnr - self.bicubic_psnr,
            best_epoch=self.best_epoch,
            best_val_psnr=None if psnr is None else self.best_psnr,
            network=self.shown,
            best_weights=self.best_weights,
            taken=self.taken,
            state=self.state,
        )

    def state(self) -> TrainState:
        tensors = {f"network.{k}": v for k, v in _copy(self.network.state_dict()).items()}
        if self.expansion is not None:
            tensors |= {f"expansion.{k}": v for k, v in _copy(self.expansion.state_dict()).items()}
        if self.average is not None:
            tensors |= {f"average.{k}": v for k, v in _copy(self.average.network.state_dict()).items()}
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
        if self.expansion is not None:
            self.expansion.load_state_dict(part("expansion."))
        self.best_weights = part("best.")
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in part("optimizer.").items():
            index, slot = name.split(".")
            weight = weights[int(index)]
            if slot != "step" and value.shape != weight.shape and self.expansion is None:
                raise CheckpointError(
                    f"the training state is damaged, optimizer.{name} must have shape {tuple(weight.shape)}, "
                    f"but has {tuple(value.shape)}"
                )
            if value.shape == weight.shape:  # fused optimisers need moments in the memory layout of their weights
                value = torch.empty_like(weight, device="cpu").copy_(value)
            slots.setdefault(int(index), {})[slot] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": slots})
        self.generator.set_state(state.tensors["generator"])
        epoch, step = state.numbers["epoch"], state.numbers["step"]
        if epoch > self.epochs or step != self.schedule.end_of(epoch):
            raise CheckpointError(
                f"the training state is damaged, step {step} must be the last one of its epoch, {epoch} of {self.epochs}"
            )
        self.epoch, self.step = state.numbers["epoch"], state.numbers["step"]
        self.seconds, self.best_epoch = state.numbers["seconds"], state.numbers["best_epoch"]
        if self.plane_weights is not None and self.step > self.schedule.pretraining:
            self.plane_weights.fill_(1.0)
        if self.mse_part is not None and self.step > self.schedule.mse_from:
            self.mse_part.fill_(1.0)
        if self.average is not None:
            self.average.restore(part("average."), self.step)
        if self.step > self.schedule.late_from:
            self._begin_late()
        best = state.numbers["best_psnr"]
        self.best_psnr = -math.inf if best is None else best


def _copy(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in weights.items()}


def _check_values(data: TrainingData, validation: Sequence[Degraded]) -> None:
    """Check that there are training images, and that all values are finite: one NaN would end in weights that are all NaN.

    Raises:
        DataError: no training image, an empty validation image, or a value that is NaN or infinite. The message names it.
    """
    if not len(data.sizes) or not data.target.size:
        raise DataError("data: there is no training image")
    named: list[tuple[str, str, NDArray[Any]]] = [("data", "small", data.small), ("data", "bicubic", data.bicubic)]
    for i, image in enumerate(validation):
        place = f"validation[{i}]" + (f" ({image.name})" if image.name else "")
        if not image.target.size or not image.small.size:
            raise DataError(f"{place}: the image is empty, of shape {image.target.shape}")
        named += [(place, "small", image.small), (place, "bicubic", image.bicubic), (place, "target", image.target)]
    for place, name, values in named:
        if not np.isfinite(values).all():
            raise DataError(f"{place}: every value of {name} must be finite, but one is NaN or infinite")
