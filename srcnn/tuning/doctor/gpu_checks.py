"""Checks of the current GPU.

Each check returns its result and raises an error on failure. The checks were written without access to a GPU; their calls to
CUDA are tested by ``pytest -m gpu_arguments``.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from functools import partial

import torch

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.errors import ConfigError, TrainingError
from srcnn.system.device import pick_device, resolve_precision
from srcnn.system.gpu import (
    cap_memory,
    capability,
    gpu_count,
    gpu_name,
    has_bf16,
    peak_reserved,
    release_memory,
    reset_peak,
    total_memory,
    wait,
)
from srcnn.system.own_process import in_own_process
from srcnn.training.fit import fit
from srcnn.training.patches import prepare
from srcnn.training.recorded_step import RecordingWarning
from srcnn.training.throughput import endless, matrix_peak, step_flops, training_rate
from srcnn.tuning.doctor.examination import Seen
from srcnn.tuning.doctor.software_checks import sample, small

__all__ = [
    "bf16",
    "deterministic_runs_agree",
    "device_and_driver",
    "memory_cap_holds",
    "recorded_against_plain",
    "throughput_9_1_5",
    "throughput_9_3_5",
    "throughput_9_5_5",
    "throughput_11_1_7",
]

_FILTERS = (64, 32)
_SECONDS = 3.0  # training time for measuring the speed, in seconds


def _gpu() -> torch.device:
    device = pick_device()
    if device.type != "cuda":
        why = "CUDA finds none" if torch.version.cuda else "it is built without CUDA"
        raise ConfigError(f"device: torch {torch.__version__} cannot use a GPU: {why}")
    return device


def device_and_driver() -> Seen:
    """Check that the GPU computes a sum correctly."""
    device = _gpu()
    total = float(torch.ones(1 << 20, device=device).sum())
    if total != 1 << 20:
        raise TrainingError(f"a sum of {1 << 20} ones is {total}")
    wait(device)
    major, minor = capability(device)
    size, name, count = total_memory(device), gpu_name(), gpu_count()
    text = f"{count} x {name}, {size / 2**30:.0f} GiB, compute capability {major}.{minor}; CUDA {torch.version.cuda}"
    figures = {"name": name, "count": count, "bytes": size, "capability": [major, minor], "cuda": torch.version.cuda}
    return Seen(text, figures)


def bf16() -> Seen:
    """Check that a bfloat16 product equals the float32 product within eight bits of mantissa."""
    device = _gpu()
    if not has_bf16(device):
        raise ConfigError("precision: this GPU does not multiply bfloat16 in hardware")
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(512, 512, generator=generator) for _ in range(2))
    exact = a.bfloat16().double() @ b.bfloat16().double()
    found = (a.to(device).bfloat16() @ b.to(device).bfloat16()).double().cpu()
    error = float((found - exact).norm() / exact.norm())
    if not error < 0.01:
        raise TrainingError(f"the relative error of a bfloat16 product is {error:.2g}")
    return Seen(f"in hardware; the relative error of a product is {error:.1e}", {"error": error})


def recorded_against_plain() -> Seen:
    """Compare recorded steps with plain ones, for three optimisers: verification, loss and speed."""
    device, words, figures = _gpu(), [], {}
    for optimizer in ("muon", "adam", "sgd"):
        config = small(optimizer=optimizer, epochs=4)
        losses, times = [], []
        for recorded in (False, True):
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                results = list(fit(config, sample(), device=device, recorded=recorded))
            for one in told:
                if issubclass(one.category, RecordingWarning):
                    raise TrainingError(f"{optimizer}: {one.message}")
            losses.append(results[-1].loss)
            times.append((results[-1].seconds - results[1].seconds) / (results[-1].step - results[1].step))
        if not abs(losses[1] - losses[0]) <= 0.05 * losses[0]:
            raise TrainingError(f"{optimizer}: the loss is {losses[1]:.4g} recorded and {losses[0]:.4g} plain")
        words.append(f"{optimizer} {times[0] * 1e6:.0f} -> {times[1] * 1e6:.0f} us a step")
        figures[optimizer] = {"losses": losses, "seconds_per_step": times}
    return Seen(f"equal losses; {', '.join(words)}", figures)


def memory_cap_holds() -> Seen:
    """Check that with a memory cap of a quarter a smaller allocation works and a larger one fails, and works without the cap."""
    device = _gpu()
    total = total_memory(device)

    def fits(share: float) -> bool:
        try:
            torch.empty(int(share * total), dtype=torch.uint8, device=device)
        except torch.OutOfMemoryError:
            return False
        finally:
            release_memory(device)
        return True

    cap_memory(device, 0.25)
    below, above = fits(0.2), fits(0.3)
    cap_memory(device, 1.0)
    after = fits(0.3)
    if (below, above, after) != (True, False, True):
        raise TrainingError(
            f"success of allocating 20 % and 30 % with a cap of 25 %, and 30 % without it: {below}, {above}, {after}"
        )
    return Seen("with a cap of 25 %, an allocation of 20 % works and one of 30 % fails", {"bytes": total})


def deterministic_runs_agree() -> Seen:
    """Check that two ``deterministic`` runs in separate processes give bit-identical weights."""
    device = _gpu()
    digests = {name: [in_own_process(_digest, device, name == "yes") for _ in range(2)] for name in ("yes", "no")}
    if len(set(digests["yes"])) != 1:
        raise TrainingError("two runs with --deterministic end with different weights")
    plain = "are identical too" if len(set(digests["no"])) == 1 else "differ in their last bits, as expected"
    return Seen(f"bit-identical; runs without --deterministic {plain}", {"digests": digests})


def _digest(device: torch.device, deterministic: bool) -> str:
    total = hashlib.sha256()
    for result in fit(small(epochs=3, deterministic=deterministic), sample(), device=device):
        last = result
    for value in last.network.state_dict().values():
        total.update(value.detach().cpu().numpy().tobytes())
    return total.hexdigest()


def _throughput(kernels: str) -> Seen:
    device = _gpu()
    reset_peak(device)
    data = prepare(load("sample/train").images, 3)
    config: TrainConfig = endless(kernels, _FILTERS, 3, 1e6)
    precision = resolve_precision(config.precision, device)
    started = time.perf_counter()
    peak = matrix_peak(device, precision)
    rate = training_rate(kernels, _FILTERS, data, device, _SECONDS)
    share = rate * step_flops(config) / (config.batch_size * config.output_size**2) / peak
    text = f"{rate / 1e6:.1f} Mpixel/s, {100 * share:.0f} % of {peak / 1e12:.0f} TFLOP/s in {precision}"
    figures = {"mpixels": rate / 1e6, "peak_share": share, "peak": peak, "precision": precision}
    return Seen(text, {**figures, "reserved": peak_reserved(device), "seconds": time.perf_counter() - started})


throughput_9_1_5 = partial(_throughput, "9-1-5")
throughput_9_3_5 = partial(_throughput, "9-3-5")
throughput_9_5_5 = partial(_throughput, "9-5-5")
throughput_11_1_7 = partial(_throughput, "11-1-7")
