"""Speed of a device in training and evaluating the networks of a space, from a few timed steps.

The time of a training step is taken to be piecewise linear in its multiply-accumulate operations (including border
positions), through the smallest, median and largest configuration of a space. For 22 random configurations each of
default.yaml, an earlier deep.yaml and subpixel.yaml (CPU with AVX512-BF16, one thread) the sum was accurate within 5 %,
single ones within 40 %.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.evaluation.protocol import score
from srcnn.model.network import count_macs
from srcnn.system.atomic_file import atomic_write
from srcnn.system.bounded_read import parse_json, read_text
from srcnn.system.folders import cache_folder
from srcnn.system.gpu import gpu_name
from srcnn.system.own_process import in_own_process
from srcnn.training.fit import EpochResult, fit
from srcnn.training.patch_cache import prepare_cached
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.space.space import Space

__all__ = ["Probe", "Speed", "drawn_configs", "known_speed", "measure_speed"]

_LAYOUT = 1  # version of the file; with a new number everything is measured again
_DRAWS = 200  # random configurations that represent a space
_CROP = 192  # maximum side of the timed validation image, in pixels
_SECONDS = 0.5  # training time per configuration, in seconds; at least one epoch
_STEPS = 4e9  # multiply-accumulate operations in a timed epoch, forward pass only


@dataclass(frozen=True)
class Probe:
    """Measured times of a configuration."""

    name: str
    step_macs: float  #: multiply-accumulate operations of a training step, forward pass, with border positions
    step_seconds: float
    macs: float  #: multiply-accumulate operations per pixel of the large image
    look_seconds: float  #: evaluation time per pixel, in seconds


@dataclass(frozen=True)
class Speed:
    """Speed of a device with the configurations of a space."""

    device: str  #: name of the device
    gpu: bool
    threads: int
    probes: tuple[Probe, ...]  #: smallest configuration first
    setup: float  #: additional time of the first epoch of a trial, in seconds
    ssim: float  #: time of SSIM per pixel, in seconds

    def step(self, config: TrainConfig) -> float:
        """Return the time of one training step, in seconds."""
        return _between(_step_macs(config), [(p.step_macs, p.step_seconds) for p in self.probes])

    def look(self, config: TrainConfig) -> float:
        """Return the evaluation time per pixel of the large images, in seconds."""
        return _between(count_macs(config), [(p.macs, p.look_seconds) for p in self.probes])


def known_speed(plan: Plan, device: torch.device) -> Speed | None:
    """Return the cached result of `measure_speed`; None: it was not measured, or its file is damaged."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return _read(_cached(plan, _name(device)))
    return None


def measure_speed(plan: Plan, device: torch.device, *, fresh: bool = False) -> Speed:
    """Measure the training and evaluation times of the smallest, the median and the largest configuration.

    This takes about 3 s for default.yaml on one core. The result is cached by device, torch version, number of threads
    and space.

    Args:
        plan: the search.
        device: device of the trials; a GPU is measured from a separate process.
        fresh: measure even if a cached result exists.
    """
    name = _name(device)
    path = _cached(plan, name)
    if not fresh and (known := known_speed(plan, device)) is not None:
        return known
    # A driver that used a GPU would keep part of its memory, which trials need.
    call = in_own_process if device.type == "cuda" else _call
    speed = call(_measure, plan, device, name, plan.settings.cpus_per_trial)
    with suppress(OSError), atomic_write(path) as file:  # a full or read-only disk: the next search measures again
        file.write_text(json.dumps(asdict(speed)), encoding="utf-8")
    return speed


def _name(device: torch.device) -> str:
    return (gpu_name(device.index or 0) or "a GPU") if device.type == "cuda" else _processor()


def _cached(plan: Plan, name: str) -> Path:
    """Return the file with the speed of a device for the space of a search."""
    parts = [
        _LAYOUT,
        name,
        torch.__version__,
        plan.settings.cpus_per_trial,
        repr((plan.space.parameters, plan.space.constants)),
    ]
    key = hashlib.sha256(json.dumps([*parts, repr(plan.space.constraints)]).encode()).hexdigest()[:32]
    return cache_folder() / f"speed-{key}.json"


def _read(path: Path) -> Speed:
    given = parse_json(read_text(path))
    return Speed(**{**given, "probes": tuple(Probe(**probe) for probe in given["probes"])})


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {torch.backends.cpu.get_cpu_capability()}"
    return f"CPU, {torch.backends.cpu.get_cpu_capability()}"


def drawn_configs(space: Space) -> list[TrainConfig]:
    """Return random configurations of a space, the one with the fewest operations per step first."""
    source, found = random.Random(0), []
    for _ in range(10 * _DRAWS):
        with suppress(ConfigError):
            config = space.to_config(space.draw(source))
            if not space.constraints.broken_by(config):
                found.append(config)
        if len(found) == _DRAWS:
            break
    return sorted(found, key=_step_macs)


def _call(function: Callable[..., Speed], *args: object) -> Speed:
    return function(*args)


def _measure(plan: Plan, device: torch.device, name: str, threads: int) -> Speed:
    with _threads(threads):
        return _measured(plan, device, name)


def _measured(plan: Plan, device: torch.device, name: str) -> Speed:
    drawn = drawn_configs(plan.space)
    picked = {_step_macs(config): config for config in (drawn[0], drawn[len(drawn) // 2], drawn[-1])}.values()
    image = plan.validation.images[0][1][:_CROP, :_CROP]
    timed = [_probe(plan, config, degrade(image, config.scale), device) for config in picked]
    plain = degrade(image, drawn[0].scale)
    ssim = _fastest(lambda: score(None, plain)) - _fastest(lambda: score(None, plain, with_ssim=False))
    setup = min(seconds for _, seconds in timed)
    probes = tuple(probe for probe, _ in timed)
    return Speed(
        name, device.type == "cuda", torch.get_num_threads(), probes, setup, max(0.0, ssim) / plain.target.size
    )


def _probe(plan: Plan, config: TrainConfig, image: Degraded, device: torch.device) -> tuple[Probe, float]:
    """Return the times of a configuration, and the additional time of its first epoch, in seconds."""
    pixels = config.batch_size * config.output_size**2
    steps = min(64, max(2, round(_STEPS / _step_macs(config) / 3)))
    # With a tiny learning rate no network dies; neither it nor the initial weights affect the time.
    config = config.replace(
        epoch_pixels=steps * pixels, pixels=50.0 * steps * pixels, learning_rate=1e-6, start="random", start_digest=""
    )
    data = prepare_cached(plan.training, config.scale, color=config.color, copies=config.reduced_copies)
    ends, trained = [time.perf_counter()], [0.0]
    for result in fit(config, data, validation=(image,), device=device):
        ends.append(time.perf_counter())
        trained.append(result.seconds)
        if _enough(result, trained):
            break
    whole, training = np.diff(ends), np.diff(trained)
    # The fastest epoch was disturbed least by other processes.
    look = float(np.min((whole - training)[1:])) / image.target.size
    seconds = float(np.min(training[1:])) / steps
    return Probe(config.name, _step_macs(config), seconds, count_macs(config), look), float(whole[0] - whole[1:].min())


def _enough(result: EpochResult, trained: Sequence[float]) -> bool:
    """Return whether the training was long enough. The first epoch is warm-up."""
    return result.epoch >= 2 and trained[-1] - trained[1] >= _SECONDS


def _fastest(call: Callable[[], object]) -> float:
    def once() -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    return min(once() for _ in range(3))


def _step_macs(config: TrainConfig) -> float:
    """Return the multiply-accumulate operations of a training step, forward pass, at all computed positions including borders."""
    unit = config.scale if config.upsampling == "pixel_shuffle" else 1
    last = config.channels * unit**2
    side, total = config.side // unit, 0
    widths = (config.channels, *config.filters, last)
    for n_in, n_out, kernel in zip(widths[:-1], widths[1:], config.kernels, strict=True):
        side -= 0 if config.padding == "zeros" else kernel - 1
        total += n_in * n_out * kernel**2 * side**2
    return float(config.batch_size * total)


def _between(at: float, points: Sequence[tuple[float, float]]) -> float:
    """Interpolate linearly between the points; above the last point, extrapolate in proportion to it."""
    points = sorted(points)
    found = float(np.interp(at, [x for x, _ in points], [y for _, y in points]))
    return found * max(1.0, at / points[-1][0])
