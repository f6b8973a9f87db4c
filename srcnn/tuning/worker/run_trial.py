"""Trainable function for Ray Tune: runs `srcnn.training.fit.fit` and reports every epoch.

Tune calls `run_trial` in a worker process that runs many trials one after another, so no state of an earlier trial may remain:
seed and threads are set, and memory is released, for each trial.

A trial saves its own state instead of using Tune's checkpoints: two files in its folder, replaced atomically after every epoch.
With Tune's checkpoints, Tune would save the state of the whole search at every report, which becomes slower as the search
grows. Also, a trial that is restarted after a fault continues from its latest epoch, even if the driver did not receive the
report of that epoch. The state contains the figures of all epochs, so that none is lost.
"""

from __future__ import annotations

import gc
import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ray import get_runtime_context, tune
from torch import Tensor

from srcnn.config.training import TrainConfig
from srcnn.errors import CheckpointError, ConfigError, TrainingError
from srcnn.evaluation.degradation import Degraded
from srcnn.evaluation.drawn_patterns import leads, worst
from srcnn.model.network import SRCNN, count_macs, count_parameters
from srcnn.model.weights_file import load_network, save_network
from srcnn.system.gpu import release_memory, wait
from srcnn.training.checkpoint import TrainState, load_state, save_state
from srcnn.training.fit import EpochResult, fit
from srcnn.training.patches import TrainingData
from srcnn.tuning.adapters.environment import configure_worker
from srcnn.tuning.trials.objective import normalized_gain
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.worker.trial_device import Place, trial_device
from srcnn.tuning.worker.watchdog import Watchdog, stalls

__all__ = ["NETWORK_FILE", "STATE_FILE", "ScaleData", "history", "latency_ms", "run_trial"]

NETWORK_FILE, STATE_FILE = "network.safetensors", "state.safetensors"  #: names of the files in a trial's folder
_STALLS = 2  # number of attempts that hung after which a trial has failed


@dataclass(frozen=True)
class ScaleData:
    """Training data and validation images for trials of one scale."""

    training: TrainingData
    validation: tuple[Degraded, ...]
    source: Mapping[str, str] = field(default_factory=dict)  #: name, digest and number of the training images
    starts: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)  #: weights to start from, by name
    #: What a network's file keeps of its training, see `srcnn.champions.start.header_of`.
    header: Mapping[str, Any] = field(default_factory=dict)


def run_trial(trial: Mapping[str, Any], data: Mapping[int | str, ScaleData], place: Place) -> None:
    """Train one configuration and report every epoch to Tune, continuing from the trial's saved state if there is one.

    Args:
        trial: a `TrialSpec` in Tune's form (`TrialSpec.to_tune`).
        data: training and validation images by the data key of a specification; read-only, shared by all trials on a machine.
        place: folder and resources of the trial.
    """
    configure_worker()
    torch.set_num_threads(place.threads)
    if not gc.get_freeze_count():
        gc.freeze()  # exclude the libraries' objects from garbage collection, which saves 0.3 s per trial
    folder = Path(place.folder) / tune.get_context().get_trial_id()
    watchdog = Watchdog(folder, place.patience)
    device = torch.device("cpu")
    try:
        device = trial_device(place)
        _train(TrialSpec.from_tune(trial), data, place, folder, device, watchdog)
    finally:
        watchdog.close()
        gc.collect()
        release_memory(device)


def _train(
    spec: TrialSpec,
    data: Mapping[int | str, ScaleData],
    place: Place,
    folder: Path,
    device: torch.device,
    watchdog: Watchdog,
) -> None:
    config, shared = spec.config, data[spec.data_key]
    state = _last_state(folder)
    past = [] if state is None else _history(state)
    if len(hung := stalls(folder)[:_STALLS]) == _STALLS:
        tune.report(_failure("StalledError", f"no report in time, {_STALLS} times; see {hung[-1]}", past))
        return
    shown = f"{device.type} {os.environ.get('CUDA_VISIBLE_DEVICES', '')}".strip() if place.gpus else "cpu"
    report = partial(
        TrialReport,
        macs=count_macs(config),
        parameters=count_parameters(config),
        latency_ms=latency_ms(config, device) if place.latency else None,
        device=shown,
        node=get_runtime_context().get_node_id(),
    )

    def send(epochs: int) -> None:
        curve = tuple(figures.objective for figures in past)
        lead = _pattern_lead(folder, device) if place.patterns and len(past) >= epochs else None
        tune.report(report(len(past), epochs, curve, past[-1], pattern_lead=lead).to_json())

    last, used, epochs = time.monotonic(), time.process_time(), 0
    counts = device.type == "cpu" and place.threads == 1  # several threads share their processor time unequally
    if state is not None:
        # The earlier attempt may have ended before Tune received the report of its last epoch.
        epochs = int(state.numbers["epochs"])
        send(epochs)
    watchdog.wait()
    try:
        for result in fit(
            config,
            shared.training,
            validation=shared.validation,
            state=state,
            start=_start(config, shared),
            device=device,
        ):
            now, epochs = time.monotonic(), result.epochs
            cpu, used = time.process_time() - used, time.process_time()
            past.append(_figures(result, config.scale, now - last, cpu if counts else math.nan))
            _save(folder, config, result, past, shared.header)
            watchdog.pause()
            send(epochs)
            watchdog.wait(now - last)
            last = now
    except (TrainingError, ConfigError) as error:
        # The failure is a property of this configuration, not a fault: another attempt would fail in the same way. A
        # ConfigError comes from a start network that has no layer of the same shape.
        tune.report(_failure(type(error).__name__, str(error), past, epochs))


def _failure(kind: str, text: str, past: Sequence[EpochFigures], epochs: int = 0) -> dict[str, Any]:
    """Return the report of a failed trial for which another attempt is useless."""
    epoch, curve = len(past) + 1, tuple(figures.objective for figures in past)
    return TrialReport(epoch, max(epochs, epoch), curve, None, failure=f"{kind}: {text}", failure_kind=kind).to_json()


def latency_ms(config: TrainConfig, device: torch.device) -> float:
    """Return the latency for an image with an output of 512x512 pixels, in ms: the median of seven runs after two warm-ups."""
    network = SRCNN(config.architecture).to(device).eval()
    side = 512 // config.scale if config.upsampling == "pixel_shuffle" else 512
    x = torch.zeros(1, config.channels, side, side, device=device)
    base = torch.zeros(1, config.channels, side * config.scale, side * config.scale, device=device)
    times = []
    with torch.inference_mode():
        for _ in range(9):
            started = time.perf_counter()
            network(x, base if config.upsampling == "pixel_shuffle" else None)
            wait(device)
            times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times[2:])


def _pattern_lead(folder: Path, device: torch.device) -> float:
    """Return the worst lead over bicubic on the drawn patterns in dB, of the network that a trial keeps."""
    return worst(leads(load_network(folder / NETWORK_FILE).to(device)))[1]


def _last_state(folder: Path) -> TrainState | None:
    """Return the saved state; None: the trial starts from the beginning, with the same results (on a GPU, up to rounding)."""
    try:
        return load_state(folder / STATE_FILE)
    except CheckpointError:
        return None


def history(folder: Path) -> list[EpochFigures]:
    """Return the figures of all epochs that a trial has finished; an empty list if there are none."""
    state = _last_state(folder)
    return [] if state is None else _history(state)


def _history(state: TrainState) -> list[EpochFigures]:
    return [EpochFigures.from_json(figures) for figures in state.numbers["figures"]]


def _figures(result: EpochResult, scale: int, seconds: float, cpu_seconds: float) -> EpochFigures:
    assert result.val_psnr is not None, "a search always has validation images"
    assert result.val_gain is not None
    assert result.best_val_psnr is not None
    if not math.isfinite(result.val_gain):
        raise TrainingError(f"the validation gain is {result.val_gain} in epoch {result.epoch}")
    best_gain = result.val_gain + result.best_val_psnr - result.val_psnr
    return EpochFigures(
        objective=normalized_gain(result.val_gain, scale),
        best_objective=normalized_gain(best_gain, scale),
        best_epoch=result.best_epoch,
        best_val_psnr=result.best_val_psnr,
        best_val_gain=best_gain,
        val_psnr=result.val_psnr,
        val_gain=result.val_gain,
        loss=result.loss,
        learning_rate=result.learning_rate,
        pixels=result.pixels,
        train_seconds=result.seconds,
        epoch_seconds=seconds,
        cpu_seconds=cpu_seconds,
    )


def _start(config: TrainConfig, data: ScaleData) -> Mapping[str, Tensor] | None:
    """Return the weights that a trial starts from, copied, because those of the object store are read-only; None: random ones."""
    weights = data.starts.get(config.start)
    return None if weights is None else {name: value.clone() for name, value in weights.items()}


def _save(
    folder: Path,
    config: TrainConfig,
    result: EpochResult,
    past: Sequence[EpochFigures],
    header: Mapping[str, Any],
) -> None:
    best = {"val_psnr": result.best_val_psnr, "epoch": result.best_epoch, **header}
    save_network(folder / NETWORK_FILE, result.best_weights, config, best)
    state = result.state()
    numbers = {**state.numbers, "figures": [figures.to_json() for figures in past], "epochs": result.epochs}
    save_state(folder / STATE_FILE, type(state)(state.config, state.tensors, numbers))
