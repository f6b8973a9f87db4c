"""One trial: drains `srcnn.train.fit` and reports every epoch to Tune, with a checkpoint.

Tune calls `run_trial` in a worker process that serves many trials in turn, so nothing may be left over from the trial
before: the seed, the threads and the memory are set or given back here.
"""

from __future__ import annotations

import gc
import math
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from ray import tune

from srcnn.checkpoint import load_state, save_network, save_state
from srcnn.config import TrainConfig
from srcnn.device import pick_device
from srcnn.errors import CheckpointError, TrainingError
from srcnn.evaluate import Degraded
from srcnn.model import SRCNN, count_macs, count_parameters
from srcnn.patches import TrainingData
from srcnn.train import EpochResult, TrainState, fit
from srcnn.tuning.objective import FAILED, METRIC, normalized_gain

__all__ = ["NETWORK_FILE", "ScaleData", "latency_ms", "run_trial"]

NETWORK_FILE = "network.safetensors"
_STATE_FILE = "state.safetensors"


@dataclass(frozen=True)
class ScaleData:
    """What trials of one scale train on and are judged by."""

    training: TrainingData
    validation: tuple[Degraded, ...]
    source: Mapping[str, str] = field(default_factory=dict)  #: name, digest and number of the training images


def run_trial(
    trial: Mapping[str, Any], data: Mapping[int | str, ScaleData], threads: int, gpu: bool, latency: bool = False
) -> None:
    """Train one configuration, reporting to Tune; goes on from the trial's checkpoint if it has one.

    Args:
        trial: what `StudySearcher.suggest` gave.
        data: by the trial's key ``data``, else by its scale; shared between all trials of a machine, read-only.
        threads: CPU threads of this trial.
        gpu: whether Tune gave this trial a GPU; else it runs on the CPU even where there are some.
        latency: whether to report how long the network takes for an image.
    """
    torch.set_num_threads(threads)
    config = TrainConfig.from_json(trial["train"])
    shared = data[trial.get("data", config.scale)]
    resumed = tune.get_checkpoint()
    state = None if resumed is None else _last_state(resumed)
    curve = [] if state is None else list(state.numbers["curve"])
    # Ray shows a trial its own GPUs alone, but one that has none sees them all: that one must not take any.
    device = pick_device("auto" if gpu else "cpu")
    place = f"{device.type} {os.environ.get('CUDA_VISIBLE_DEVICES', '')}".strip() if gpu else "cpu"
    epoch, pixels, epochs = len(curve), 0, 0
    last = time.monotonic()
    size = {"macs": count_macs(config), "parameters": count_parameters(config)}
    if latency:
        size["latency_ms"] = latency_ms(config, device)
    try:
        for result in fit(config, shared.training, validation=shared.validation, state=state, device=device):
            epoch, pixels, epochs = result.epoch, result.pixels, result.epochs
            gain = result.val_gain
            assert gain is not None, "a search always has validation images"
            if not math.isfinite(gain):
                raise TrainingError(f"the validation gain is {gain} in epoch {epoch}")
            curve.append(normalized_gain(gain, config.scale))
            now = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                _save(Path(folder), config, result, curve)
                report = _metrics(result, curve, config.scale, now - last)
                tune.report({**report, **size, "device": place}, checkpoint=tune.Checkpoint(folder))
            last = now
    except TrainingError as error:
        # An answer of this configuration, not an accident: running it again would end the same way.
        report = {METRIC: FAILED, "failure": f"{type(error).__name__}: {error}", "curve": curve}
        tune.report({**report, "epoch": epoch + 1, "epochs": max(epochs, epoch + 1), "pixels": pixels})
    finally:
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def latency_ms(config: TrainConfig, device: torch.device) -> float:
    """Milliseconds for one image whose large side is 512x512 pixels, the median of seven, after two to warm up."""
    network = SRCNN(config.architecture).to(device).eval()
    side = 512 // config.scale if config.upsampling == "pixel_shuffle" else 512
    x = torch.zeros(1, config.channels, side, side, device=device)
    base = torch.zeros(1, config.channels, side * config.scale, side * config.scale, device=device)
    times = []
    with torch.inference_mode():
        for _ in range(9):
            started = time.perf_counter()
            network(x, base if config.upsampling == "pixel_shuffle" else None)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times[2:])


def _last_state(checkpoint: tune.Checkpoint) -> TrainState | None:
    """The state to go on from; None starts the trial over, which gives the same figures again.

    A kill may fall between Tune's removal of a checkpoint and the snapshot that forgets it, or into the copying of a new
    one. Then another of the trial's checkpoints serves, the newest that is whole.
    """
    with suppress(CheckpointError, OSError), checkpoint.as_directory() as folder:
        return load_state(Path(folder) / _STATE_FILE)
    for folder in sorted(Path(checkpoint.path).parent.glob("checkpoint_*"), reverse=True):
        with suppress(CheckpointError):
            return load_state(Path(folder) / _STATE_FILE)
    return None


def _metrics(result: EpochResult, curve: list[float], scale: int, seconds: float) -> dict[str, Any]:
    assert result.val_psnr is not None, "a search always has validation images"
    assert result.val_gain is not None
    assert result.best_val_psnr is not None
    best_gain = result.val_gain + result.best_val_psnr - result.val_psnr
    return {
        METRIC: curve[-1],
        "best_objective": normalized_gain(best_gain, scale),
        "epoch": result.epoch,
        "epochs": result.epochs,
        "pixels": result.pixels,
        "loss": result.loss,
        "learning_rate": result.learning_rate,
        "val_psnr": result.val_psnr,
        "val_gain": result.val_gain,
        "best_epoch": result.best_epoch,
        "best_val_psnr": result.best_val_psnr,
        "best_val_gain": best_gain,
        "train_seconds": result.seconds,
        "epoch_seconds": seconds,
        "curve": list(curve),
    }


def _save(folder: Path, config: TrainConfig, result: EpochResult, curve: list[float]) -> None:
    figures = {"val_psnr": result.best_val_psnr, "epoch": result.best_epoch}
    save_network(folder / NETWORK_FILE, result.best_weights, config, figures)
    state = result.state()
    save_state(folder / _STATE_FILE, type(state)(state.config, state.tensors, {**state.numbers, "curve": curve}))
