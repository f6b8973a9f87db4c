"""What a search will cost, before it is started: a few timed training steps, and arithmetic.

Time: steps are timed by `srcnn.tuning.planning.speed`. What a search makes of them is less certain: how much of their training
the scheduler lets trials have, and how far a sampler that learns leans to dear configurations, were read off searches of
default.yaml. Processor time of workers was expected within a fifth (12 trials of 1 and 4 million pixels, their share of
training known). Wall time is that of a machine with nothing else to do: beside two other busy processes on two cores, searches
took 1.4 to 1.5 times as long as expected.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean

from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet
from srcnn.errors import ConfigError
from srcnn.model.network import count_parameters
from srcnn.system.device import pick_device
from srcnn.system.gpu import gpu_count
from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.planning.speed import Speed, drawn_configs, measure_speed

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
_START = 13.0  # until the first step: Ray, the store, workers that import torch
TRIAL = 0.7  # of a slot for each trial beside its steps and looks: reports, checkpoints, MLflow, the next one's turn
AGAIN = 8.0  # until the first confirmation runs: another set of workers starts
TEST = 6.0  # until workers measure networks: another set of them starts

# Bytes, measured.
_DRIVER, _RAY, _WORKER = 0.65e9, 0.15e9, 0.55e9  # without data; pages that processes share count once
_STORE, _RUN = 1.0e6, 30e3  # an empty MLflow database, and what a run adds
_STATE = 35e3  # what a trial adds to the state of Tune and of the sampler
_OTHER = 16e3  # headers, random generators and file system blocks of a trial's checkpoint

#: Copies of the weights that an optimiser keeps.
_MOMENTS = {"muon": 1, "adam": 2, "sgd": 1}


@dataclass(frozen=True)
class Phase:
    """A part of a search."""

    trials: int
    seconds: float  #: of wall time
    busy: float  #: seconds of all slots together
    disk: float  #: bytes


@dataclass(frozen=True)
class Estimate:
    """What a search is expected to cost."""

    search: Phase
    confirmation: Phase
    tests: float  #: seconds of measuring the test images
    speed: Speed
    slots: int  #: trials at a time
    units: float  #: cores, or GPUs, of a slot
    memory: float  #: bytes, of all processes together
    limit: float | None  #: the time budget, seconds

    @property
    def whole(self) -> float:
        """Seconds of wall time, start and test images included, without a time budget."""
        return _START + self.search.seconds + self.confirmation.seconds + self.tests

    @property
    def seconds(self) -> float:
        """Seconds of wall time that are expected."""
        return self.whole if self.limit is None else min(self.whole, self.limit)

    @property
    def hours(self) -> float:
        """Core-hours, or GPU-hours where trials run on GPUs."""
        return (self.search.busy + self.confirmation.busy) * self.units / 3600

    @property
    def disk(self) -> float:
        """Bytes in the storage folder and in the tracking store, without the cache of prepared images."""
        return _STORE + self.search.disk + self.confirmation.disk


def expected_share(plan: Plan) -> float:
    """The share of a full training that a sampled trial gets from the scheduler, on average.

    For asha a curve that rises with the trials of a scale, since the sampler learns and better trials are stopped less.
    Its shape is that of nine searches with earlier rungs, its height that of one with the present rungs, whose 22 trials
    got 0.50 (7 a scale). The others are not measured: by their rules hyperband keeps some more, and the median rule
    stops half of all trials early on. Those searches began with the paper's network; where a space lacks it, nothing is
    there to stop the first trial of a scale.
    """
    each = max(1, plan.settings.trials - plan.baselines) / len(plan.space.scales)
    asha = 0.6 * each / (each + 1.5)
    if not plan.baselines:
        asha += (1 - asha) / max(1, each)
    return {"asha": asha, "hyperband": min(1.0, asha + 0.1), "median": 0.6}.get(plan.settings.stopping, 1.0)


def _lean(plan: Plan) -> float:
    """How far the trials that go on lie from the mean configuration towards the dearest tenth, 0 to 1."""
    learns = plan.settings.sampler in ("curves", "tpe", "gp", "cmaes")
    each = plan.settings.trials / len(plan.space.scales)
    return min(0.5, each / 100) if learns else 0.1


def estimate(plan: Plan, speed: Speed, slots: int, kept: float | None = None) -> Estimate:
    """What a search is expected to cost.

    Args:
        plan: the search.
        speed: from `measure_speed`.
        slots: trials at a time.
        kept: the share of a full training that a sampled trial gets; None: `expected_share`.
    """
    settings, drawn = plan.settings, drawn_configs(plan.space)
    share = expected_share(plan) if kept is None else kept
    full = sorted(trial_seconds(plan, speed, config) for config in drawn)
    dearest = fmean(full[-max(1, len(full) // 10) :])
    typical = fmean(full) + _lean(plan) * (dearest - fmean(full))
    trials = _trials(plan)
    rows = plan.first[: min(plan.baselines, trials)]
    # What a row leaves open is drawn, as the sampler would.
    references = [trial_seconds(plan, speed, plan.space.to_config(plan.space.draw(random.Random(0), r))) for r in rows]
    size = fmean(map(_trial_bytes, drawn))
    search = _phase([*references, *[share * typical] * (trials - len(rows))], typical, speed, slots, size)
    again: list[float] = []
    if settings.confirm:
        ratio = (settings.confirm_budget or settings.budget) / settings.budget
        scales = len(plan.space.scales)
        # Only finished trials are confirmed. Of the share, about 0.23 is that of trials which do not finish.
        each = (trials - len(rows)) / scales
        finished = max(0 if rows else min(1, each), each * (share if share == 1 else max(0.0, share - 0.23)))
        leaders = [typical] * round(scales * min(settings.best, finished))
        choose = [*leaders, *references] * settings.choice_seeds
        winners = [typical] * min(scales, len(leaders))
        again = [ratio * seconds for seconds in [*choose, *([*winners, *references] * settings.confirm_seeds)]]
    looks = fmean(speed.look(config) + speed.ssim for config in drawn) * image_pixels(plan.test)
    return Estimate(
        search=search,
        confirmation=_phase(again, max(again, default=0.0), speed, slots, size, start=2 * AGAIN),
        tests=TEST + (len(again) or trials) * looks / slots,
        speed=speed,
        slots=slots,
        units=settings.gpu_share if speed.gpu else settings.cpus_per_trial,
        memory=_memory(plan, drawn, slots),
        limit=settings.time_budget,
    )


def speed_here(plan: Plan, *, fresh: bool = False) -> tuple[Speed, int] | None:
    """The speed of this machine and its trials at a time; None if the search runs elsewhere.

    Args:
        plan: the search.
        fresh: measure even if the speed is known.
    """
    s = plan.settings
    if s.address is not None:
        return None
    device = pick_device("cpu" if s.gpus_per_trial == 0 else "auto")
    slots = (os.cpu_count() or 1) // s.cpus_per_trial
    if device.type == "cuda":
        slots = min(slots, int(gpu_count() / s.gpu_share))
    return measure_speed(plan, device, fresh=fresh), max(1, min(slots, s.max_concurrent or slots))


def _trials(plan: Plan) -> int:
    if plan.settings.sampler != "grid":
        return plan.settings.trials
    with suppress(ConfigError):  # a grid too large to write down has more than anybody's trials
        return min(plan.settings.trials, len(plan.first) + len(plan.space.grid()))
    return plan.settings.trials


def image_pixels(sets: Sequence[ImageSet]) -> int:
    """Pixels of all images of some sets."""
    return sum(image.shape[0] * image.shape[1] for images in sets for _, image in images.images)


def trial_seconds(plan: Plan, speed: Speed, config: TrainConfig) -> float:
    """Of a full trial: its steps and a look at the validation images after every epoch."""
    steps = math.ceil(plan.settings.budget / (config.batch_size * config.output_size**2))
    return steps * speed.step(config) + EPOCHS * speed.look(config) * image_pixels([plan.validation])


def _trial_bytes(config: TrainConfig) -> float:
    """On the disk: the network for Tune and for MLflow, and in the state once more, the best one and the moments."""
    return 4.0 * count_parameters(config) * (4 + _MOMENTS[config.optimizer]) + _OTHER + _STATE + _RUN


def _phase(busy: Sequence[float], last: float, speed: Speed, slots: int, size: float, *, start: float = 0.0) -> Phase:
    """Trials of the given seconds on some slots; ``last``: of one that may run alone at the end."""
    if not busy:
        return Phase(0, 0.0, 0.0, 0.0)
    total = sum(busy) + len(busy) * (TRIAL + speed.setup)
    used = min(slots, len(busy))
    seconds = start + max(total / used + (used - 1) / used * last / 2, max(busy))
    return Phase(len(busy), seconds, total, len(busy) * size)


def _memory(plan: Plan, drawn: Sequence[TrainConfig], slots: int) -> float:
    """The driver and Ray's store with the images, and the workers with a step's activations, kept until backward."""
    scales, training, validation = plan.space.scales, image_pixels([plan.training]), image_pixels([plan.validation])
    planes: float = sum(training * (5 + 4 / s**2) + validation * (8 + 4 / s**2) for s in scales)
    images = 3 * image_pixels([plan.training, plan.validation, *plan.test])
    step = max(12.0 * c.batch_size * c.side**2 * sum(c.filters) for c in drawn)
    idle = 2 if plan.settings.confirm else 1  # workers that Ray keeps for what may come
    return _DRIVER + _RAY + 2 * planes + images + slots * step + (slots + idle) * _WORKER


def lines(found: Estimate) -> list[tuple[str, str]]:
    """An estimate as names and values, to be printed."""
    parts = f"start {_time(_START)}, {found.search.trials} trials {_time(found.search.seconds)}"
    if found.confirmation.trials:
        parts += f", {found.confirmation.trials} confirmations {_time(found.confirmation.seconds)}"
    parts += f", test images {_time(found.tests)}"
    if found.limit is not None and found.whole > found.limit:
        parts += f"; {_time(found.whole)} in all without the time budget"
    kind = "GPU" if found.speed.gpu else "core"
    probes = ", ".join(f"{p.name} {p.step_seconds * 1e3:.3g} ms" for p in found.speed.probes)
    return [
        ("time", f"{_time(found.seconds)} ({parts})"),
        (f"{kind}-hours", f"{found.hours:.2g}, with {found.slots} trials at a time"),
        ("disk", f"{_size(found.disk)} for checkpoints and the tracking store"),
        ("memory", f"{_size(found.memory)}, all processes together"),
        ("measured", f"a training step on {found.speed.device}, {found.speed.threads} thread(s): {probes}"),
    ]


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def _size(size: float) -> str:
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
