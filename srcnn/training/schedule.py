"""What a run does at which step: its epochs and parts, the target pixels up to a step, and the learning rate.

Warm restarts: Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017. The cosine schedule is
repeated; each cycle may be longer than the one before. Unlike SGDR, the rate falls to zero in every cycle, and the linear
warm-up, which SGDR does not have, comes once, at the beginning of the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError

__all__ = ["Schedule", "make_schedule"]


@dataclass(frozen=True)
class Schedule:
    """The steps of a run, counted from 0."""

    config: TrainConfig
    steps: int  #: number of steps
    epochs: int  #: number of epochs
    pretraining: int  #: number of steps with only the planes of ``pretrain`` in the loss
    mse_from: int  #: first step with the mean squared error as loss after another loss; ``steps``: none
    late_from: int  #: first step with sub-images of ``late_patch_size``; ``steps``: none
    pixels_per_step: int  #: target pixels of a step before ``late_from``
    late_pixels_per_step: int  #: target pixels of a step from ``late_from`` on

    def end_of(self, epoch: int) -> int:
        """Return the number of steps after an epoch, counted from 1. All epochs have equally many steps, but for rounding."""
        return round(self.steps * epoch / self.epochs)

    def parts(self, first: int, end: int) -> list[tuple[int, int]]:
        """Divide the steps from ``first`` to before ``end`` into parts with sub-images of equal size."""
        cut = min(max(self.late_from, first), end)
        return [(a, b) for a, b in ((first, cut), (cut, end)) if a < b]

    def pixels_at(self, step: int) -> int:
        """Return the number of target pixels before a step."""
        late = max(0, step - self.late_from)
        return (step - late) * self.pixels_per_step + late * self.late_pixels_per_step

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step."""
        config, progress = self.config, step / self.steps
        rise = config.warmup * self.steps
        if step < rise:
            return config.learning_rate * (step + 1) / (math.floor(rise) + 1)
        if config.schedule == "constant":
            return config.learning_rate
        if config.schedule == "step":
            drops = sum(progress >= at for at in config.step_at)
            return config.learning_rate * config.step_factor**drops
        if config.cycles > 1:
            progress = _within_cycle(progress, config.cycles, config.cycle_growth)
        return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))


def _within_cycle(progress: float, cycles: int, growth: float) -> float:
    """Return the progress within its cycle of a fraction of the run. Each cycle is ``growth`` times as long as the one before."""
    lengths = [growth**i for i in range(cycles)]
    total, begin = sum(lengths), 0.0
    for length in lengths[:-1]:
        if progress < (begin + length) / total:
            return (progress * total - begin) / length
        begin += length
    return (progress * total - begin) / lengths[-1]


def make_schedule(
    config: TrainConfig, *, steps_per_epoch: int, pixels_per_step: int, late_pixels_per_step: int | None = None
) -> Schedule:
    """Return the schedule of a configuration.

    A budget in pixels has the fewest steps that reach it. With ``late_patch_size`` the budget is the same number of target
    pixels; ``late_share`` of them, rounded up to whole steps, belong to the last part.

    Args:
        config: a configuration with a budget.
        steps_per_epoch: steps of one pass over the training set, with the sub-images of ``patch_size``.
        pixels_per_step: target pixels of a step with these sub-images.
        late_pixels_per_step: target pixels of a step with sub-images of ``late_patch_size``; None: there are none.

    Raises:
        ConfigError: there is no budget.
    """
    if config.epochs is not None:
        steps, epochs = config.epochs * steps_per_epoch, config.epochs
        pixels: float = steps * pixels_per_step
        length: float = pixels / epochs
    elif config.pixels is not None:
        pixels = config.pixels
        steps = math.ceil(pixels / pixels_per_step)
        length = config.epoch_pixels or steps_per_epoch * pixels_per_step
    else:
        raise ConfigError("epochs: a run must have a budget in epochs or pixels, but got none")
    late = 0
    if late_pixels_per_step is not None:
        late = math.ceil(config.late_share * pixels / late_pixels_per_step)
        steps = late + max(1, math.ceil((pixels - late * late_pixels_per_step) / pixels_per_step))
    if config.epochs is None:
        epochs = min(steps, max(1, round(pixels / length)))
    mse = 0 if config.loss == "mse" else int(config.mse_share * steps)
    pretraining = 0 if config.pretrain == "none" else int(config.pretrain_share * steps)
    return Schedule(
        config=config,
        steps=steps,
        epochs=min(epochs, steps),
        pretraining=min(pretraining, steps - 1),  # at least one step of fine-tuning
        mse_from=max(1, steps - mse),
        late_from=steps - late,
        pixels_per_step=pixels_per_step,
        late_pixels_per_step=pixels_per_step if late_pixels_per_step is None else late_pixels_per_step,
    )
