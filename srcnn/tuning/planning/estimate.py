"""Estimate of the time, memory and disk space of a search before it starts, from a few timed training steps.

`srcnn.tuning.planning.speed` times the steps. Two quantities are less certain: the fraction of the full training that
trials get from the scheduler, and the preference of the sampler for expensive configurations. Both were measured on
searches of default.yaml. The CPU time of workers was estimated within a fifth (12 trials of 1 and 4 million pixels,
with known fraction). The wall time is that of an idle machine: with two other busy processes on two cores, searches
took 1.4 to 1.5 times as long.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from statistics import fmean

from srcnn.config.quantities import counted
from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet
from srcnn.errors import ConfigError
from srcnn.model.network import count_parameters
from srcnn.system.device import pick_device
from srcnn.system.gpu import gpu_count
from srcnn.training.memory import step_bytes
from srcnn.tuning.algorithms.allocator import FINISHED, epochs_share
from srcnn.tuning.algorithms.early_stopping import EPOCHS, FREEZE_THAW
from srcnn.tuning.planning.confirmations import MOST_FURTHER, further_confirmations, ladder, training_after
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.planning.speed import Speed, drawn_configs, known_speed, measure_speed

__all__ = [
    "AGAIN",
    "TEST",
    "TRIAL",
    "Estimate",
    "Phase",
    "estimate",
    "expected_share",
    "image_pixels",
    "lines",
    "speed_here",
    "trial_seconds",
]


# Seconds, measured with Ray 2.60 and MLflow 3.17 on a local SQLite store.
_START = 13.0  # until the first step: start of Ray, the store, and workers that import torch
TRIAL = (
    0.7  # overhead per trial, without training and evaluation: reports, checkpoints, MLflow, start of the next trial
)
AGAIN = 8.0  # until the first confirmation trial: start of new workers
TEST = 6.0  # until workers measure test images: start of new workers

# Bytes, measured.
_DRIVER, _RAY, _WORKER = 0.65e9, 0.15e9, 0.55e9  # without data; shared pages are counted once
_STORE, _RUN = 1.0e6, 30e3  # size of an empty MLflow database, and per run
_STATE = 35e3  # per trial in the states of Tune and the sampler
_OTHER = 16e3  # per checkpoint: headers, random generators and file system blocks

#: Copies of the weights in the state of an optimiser.
_MOMENTS = {"muon": 1, "adam": 2, "sgd": 1}


@dataclass(frozen=True)
class Phase:
    """A part of a search."""

    trials: int
    seconds: float  #: wall time, in seconds
    busy: float  #: time of all slots together, in seconds
    disk: float  #: disk space, in bytes

    def __add__(self, other: Phase) -> Phase:
        """Return two phases, one after the other, as one."""
        return Phase(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Phase)))


@dataclass(frozen=True)
class Estimate:
    """Expected cost of a search."""

    search: Phase
    confirmation: Phase
    tests: float  #: time for measuring the test images, in seconds
    speed: Speed
    slots: int  #: number of concurrent trials
    units: float  #: cores or GPUs per slot
    memory: float  #: memory of all processes together, in bytes
    limit: float | None  #: time budget, in seconds
    most: int = 0  #: maximum number of confirmation trials; how many there are depends on the search
    #: At most this comes in addition if winners fail on the drawn patterns; no other figure includes it.
    further: Phase = Phase(0, 0.0, 0.0, 0.0)

    @property
    def whole(self) -> float:
        """Wall time including start and test images, without a time budget, in seconds."""
        return _START + self.search.seconds + self.confirmation.seconds + self.tests

    @property
    def seconds(self) -> float:
        """Expected wall time, in seconds."""
        return self.whole if self.limit is None else min(self.whole, self.limit)

    @property
    def hours(self) -> float:
        """Core-hours, or GPU-hours if trials run on GPUs."""
        return (self.search.busy + self.confirmation.busy) * self.units / 3600

    @property
    def further_hours(self) -> float:
        """Core-hours or GPU-hours that may come in addition, at most."""
        return self.further.busy * self.units / 3600

    @property
    def disk(self) -> float:
        """Size of the storage folder and the tracking store without the cache of prepared images, in bytes."""
        return _STORE + self.search.disk + self.confirmation.disk


def expected_share(plan: Plan) -> float:
    """Return the mean fraction of a full training that a sampled trial gets from the scheduler.

    For asha the fraction increases with the number of trials per scale: the sampler learns, and fewer good trials are
    stopped. The shape of this curve comes from nine searches with earlier rungs, its level from one search with the
    present rungs, whose 22 trials got 0.50 (7 per scale). The other schedulers were not measured: by their rules
    hyperband stops slightly fewer trials, and the median rule stops half of all trials early. All these searches began
    with the reference. In a space without it, the first trial of a scale has nothing to be compared with and is never
    stopped. With pauses the bound of `srcnn.tuning.algorithms.allocator.Allocator.exhausted` is taken: a search that ends
    before it is over-estimated.
    """
    each = max(1, plan.settings.trials - plan.references) / len(plan.space.scales)
    asha = 0.6 * each / (each + 1.5)
    if not plan.references:
        asha += (1 - asha) / max(1, each)
    pausing = min(1.0, max(epochs_share(training_after(plan)), (FINISHED - bool(plan.references)) / each))
    return {FREEZE_THAW: pausing, "asha": asha, "hyperband": min(1.0, asha + 0.1), "median": 0.6}.get(
        plan.settings.stopping, 1.0
    )


def _lean(plan: Plan) -> float:
    """Return how far continued trials are from the mean configuration towards the most expensive tenth, 0 to 1."""
    learns = plan.settings.sampler in ("curves", "tpe", "gp", "cmaes")
    each = plan.settings.trials / len(plan.space.scales)
    return min(0.5, each / 100) if learns else 0.1


def estimate(plan: Plan, speed: Speed, slots: int, kept: float | None = None) -> Estimate:
    """Estimate the cost of a search.

    Args:
        plan: the search.
        speed: result of `measure_speed`.
        slots: number of concurrent trials.
        kept: fraction of a full training that a sampled trial gets; None: `expected_share`.
    """
    settings, drawn = plan.settings, drawn_configs(plan.space)
    share = expected_share(plan) if kept is None else kept
    full = sorted(trial_seconds(plan, speed, config) for config in drawn)
    dearest = fmean(full[-max(1, len(full) // 10) :])
    typical = fmean(full) + _lean(plan) * (dearest - fmean(full))
    trials = _trials(plan)
    rows = plan.first[: min(plan.references, trials)]
    # Values missing in a row are drawn at random, as by the sampler.
    references = [trial_seconds(plan, speed, plan.space.drawn_config(random.Random(0), row)) for row in rows]
    size = fmean(map(_trial_bytes, drawn))
    search = _phase([*references, *[share * typical] * (trials - len(rows))], typical, speed, slots, size)
    again, rungs = list[float](), list[Phase]()
    if settings.confirm:
        ratio = (settings.confirm_budget or settings.budget) / settings.budget
        scales = len(plan.space.scales)
        # Only finished trials are confirmed. Trials that do not finish account for about 0.23 of the fraction.
        each = (trials - len(rows)) / scales
        finished = max(0 if rows else min(1, each), each * (share if share == 1 else max(0.0, share - 0.23)))
        for rung in ladder(plan):  # trials that did not finish are candidates as well
            part = rung.pixels / settings.budget * typical
            finalists = [part] * round(scales * min(rung.finalists, each))
            rungs.append(_phase(finalists, part, speed, slots, size, start=AGAIN))
        leaders = [typical] * round(scales * min(settings.best, each if rungs else finished))
        choose = [*leaders, *references] * settings.choice_seeds
        winners = [typical] * min(scales, len(leaders))
        again = [ratio * seconds for seconds in [*choose, *([*winners, *references] * settings.confirm_seeds)]]
    looks = fmean(speed.look(config) + speed.ssim for config in drawn) * image_pixels(plan.test)
    return Estimate(
        search=search,
        confirmation=sum(rungs, _phase(again, max(again, default=0.0), speed, slots, size, start=2 * AGAIN)),
        tests=TEST + (len(again) or trials) * looks / slots,
        speed=speed,
        slots=slots,
        units=settings.gpu_share if speed.gpu else settings.cpus_per_trial,
        memory=_memory(plan, drawn, slots),
        limit=settings.time_budget,
        most=_most_confirmations(plan, trials) + sum(phase.trials for phase in rungs),
        further=_further(plan, typical, speed, slots, size),
    )


def _most_confirmations(plan: Plan, trials: int) -> int:
    """Return how many trials choosing and judging have at most: as many as if every trial of the search finished."""
    settings, scales = plan.settings, len(plan.space.scales)
    if not settings.confirm:
        return 0
    given = min(plan.references, trials)
    others = min(settings.best * scales, trials - given)
    return (others + given) * settings.choice_seeds + (min(scales, others) + given) * settings.confirm_seeds


def _further(plan: Plan, typical: float, speed: Speed, slots: int, size: float) -> Phase:
    """Return the confirmations that may come in addition, at most. Each further configuration has two stages of its own."""
    settings, count = plan.settings, further_confirmations(plan)
    each = (settings.confirm_budget or settings.budget) / settings.budget * typical
    return _phase([each] * count, each, speed, slots, size, start=2 * MOST_FURTHER * AGAIN)


def speed_here(plan: Plan, *, fresh: bool = False, measure: bool = True) -> tuple[Speed, int] | None:
    """Return the speed of this machine and its number of concurrent trials; None if the search runs elsewhere.

    Args:
        plan: the search.
        fresh: measure even if the speed is cached.
        measure: whether to measure it if it is not cached; False: then the result is None as well.
    """
    s = plan.settings
    if s.address is not None:
        return None
    device = pick_device("cpu" if s.gpus_per_trial == 0 else "auto")
    slots = (os.cpu_count() or 1) // s.cpus_per_trial
    if device.type == "cuda":
        slots = min(slots, int(gpu_count() / s.gpu_share))
    speed = measure_speed(plan, device, fresh=fresh) if measure else known_speed(plan, device)
    return None if speed is None else (speed, max(1, min(slots, s.max_concurrent or slots)))


def _trials(plan: Plan) -> int:
    if plan.settings.sampler != "grid":
        return plan.settings.trials
    with suppress(ConfigError):  # a grid that is too large has more configurations than trials
        return min(plan.settings.trials, len(plan.first) + len(plan.space.grid()))
    return plan.settings.trials


def image_pixels(sets: Sequence[ImageSet]) -> int:
    """Return the number of pixels of all images of some sets."""
    return sum(image.shape[0] * image.shape[1] for images in sets for _, image in images.images)


def trial_seconds(plan: Plan, speed: Speed, config: TrainConfig) -> float:
    """Return the time of a full trial, in seconds: training steps, and evaluation of the validation images after every epoch."""
    steps = math.ceil(plan.settings.budget / (config.batch_size * config.output_size**2))
    return steps * speed.step(config) + EPOCHS * speed.look(config) * image_pixels([plan.validation])


def _trial_bytes(config: TrainConfig) -> float:
    """Return the disk space of a trial, in bytes.

    It is the network for Tune and for MLflow, and in the training state the network, the best one and the moments, with ``ema``
    the average, and with ``expansion`` the blocks and their moments.
    """
    copies = (
        4 + _MOMENTS[config.optimizer] + (1 if config.ema else 0) + config.expansion * (1 + _MOMENTS[config.optimizer])
    )
    return 4.0 * count_parameters(config) * copies + _OTHER + _STATE + _RUN


def _phase(busy: Sequence[float], last: float, speed: Speed, slots: int, size: float, *, start: float = 0.0) -> Phase:
    """Return a phase with trials of the given durations on some slots.

    ``last`` is the duration of a trial that may run alone at the end.
    """
    if not busy:
        return Phase(0, 0.0, 0.0, 0.0)
    total = sum(busy) + len(busy) * (TRIAL + speed.setup)
    used = min(slots, len(busy))
    seconds = start + max(total / used + (used - 1) / used * last / 2, max(busy))
    return Phase(len(busy), seconds, total, len(busy) * size)


def _memory(plan: Plan, drawn: Sequence[TrainConfig], slots: int) -> float:
    """Return the memory of all processes, in bytes.

    It is that of the driver and Ray's store with the images, and of the workers with a step: activations, weights, averages.
    """
    scales, training, validation = plan.space.scales, image_pixels([plan.training]), image_pixels([plan.validation])
    planes: float = sum(training * (5 + 4 / s**2) + validation * (8 + 4 / s**2) for s in scales)
    images = 3 * image_pixels([plan.training, plan.validation, *plan.test])
    step = max(map(step_bytes, drawn))
    idle = 2 if plan.settings.confirm else 1  # idle workers that Ray keeps
    return _DRIVER + _RAY + 2 * planes + images + slots * step + (slots + idle) * _WORKER


def lines(found: Estimate) -> list[tuple[str, str]]:
    """Return an estimate as names and values for printing."""
    parts = f"start {_time(_START)}, {counted(found.search.trials, 'trial')} {_time(found.search.seconds)}"
    if found.confirmation.trials:
        count, most = found.confirmation.trials, found.most
        many = f"{count} to {most}" if most > count else str(count)
        parts += f", {many} confirmations {_time(found.confirmation.seconds)}"
    parts += f", test images {_time(found.tests)}"
    if found.limit is not None and found.whole > found.limit:
        parts += f"; {_time(found.whole)} in all without the time budget"
    kind = "GPU" if found.speed.gpu else "core"
    probes = ", ".join(f"{p.name} {p.step_seconds * 1e3:.3g} ms" for p in found.speed.probes)
    return [
        ("time", f"{_time(found.seconds)} ({parts})"),
        (f"{kind}-hours", f"{found.hours:.2g}, with {counted(found.slots, 'trial')} at a time"),
        ("disk", f"{_size(found.disk)} for checkpoints and the tracking store"),
        ("memory", f"{_size(found.memory)}, all processes together"),
        *[("not counted", _not_counted(found.further))] * bool(found.further.trials),
        ("measured", f"a training step on {found.speed.device}, {found.speed.threads} thread(s): {probes}"),
    ]


def _not_counted(further: Phase) -> str:
    return (
        f"up to {MOST_FURTHER} more configurations of each scale if winners fail on a drawn pattern: at most "
        f"{counted(further.trials, 'confirmation')}, {_time(further.seconds)}"
    )


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def _size(size: float) -> str:
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
