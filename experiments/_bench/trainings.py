"""Trainings of the seven-layer chain for the section ``tricks``: the base configuration, and one run in a process.

Core-seconds are the processor time of one thread in `srcnn.training.fit.fit`: set-up and steps. Reading and preparing of images
and the measurement at the end are not among them.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.data.known_sets import data_root, locate
from srcnn.errors import TrainingError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.evaluation.protocol import score
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network, save_network
from srcnn.training.fit import fit
from srcnn.training.patch_cache import prepare_cached
from srcnn.training.patches import TrainingData

__all__ = ["CHAIN", "Training", "pool_of", "results_of", "run_training", "sets_here"]

#: The chain that is trained: 52,484 weights and biases at x2, 53,929 at x3, 55,952 at x4.
CHAIN: Mapping[str, Any] = {
    "kernels": "3-3-3-3-3-3-3",
    "filters": "48-32-32-32-32-32",
    "upsampling": "pixel_shuffle",
    "padding": "zeros",
    "learning_rate": 2e-4,
}


@dataclass(frozen=True)
class Training:
    """One training, its images by name, and what is measured at its end."""

    config: Mapping[str, Any]  #: fields of a `TrainConfig`
    train: str  #: set with the training images
    names: tuple[str, ...]  #: names of the training images in it
    measured: str  #: set with the images that are measured
    measured_names: tuple[str, ...]  #: names of these in it
    root: str | None  #: data root
    ensemble: bool = False  #: whether the ensemble over the eight symmetries is measured too
    save: str | None = None  #: file for the network
    start: str | None = None  #: file with the network whose weights the training starts from
    extra: Mapping[str, Any] = field(default_factory=dict)  #: data to keep with the result


def run_training(job: Training) -> dict[str, Any]:
    """Train and measure. Call it in a process of its own with one thread.

    Returns:
        ``psnr`` in dB by image, ``bicubic`` likewise, ``ensemble`` if it is measured, ``pixels`` and ``core_seconds``; or
        ``failure`` with the reason.
    """
    config = TrainConfig(**job.config)
    data = _training_data(job.train, job.names, job.root, config.scale, config.reduced_copies)
    weights = None if job.start is None else load_network(Path(job.start)).state_dict()
    torch.set_num_threads(1)
    began = time.process_time()
    try:
        result = list(fit(config, data, device=torch.device("cpu"), start=weights))[-1]
    except TrainingError as error:
        return {"failure": str(error), "core_seconds": time.process_time() - began, **job.extra}
    spent = time.process_time() - began
    network = SRCNN(config.architecture)
    network.load_state_dict(dict(result.best_weights))  # without validation images, those of the last epoch
    if job.save is not None:
        save_network(Path(job.save), network.state_dict(), config)
    found: dict[str, Any] = {"pixels": result.pixels, "core_seconds": spent, **job.extra}
    if job.measured_names:
        images = _measured(job.measured, job.measured_names, job.root, config.scale)
        ways: dict[str, tuple[SRCNN | None, bool]] = {"psnr": (network, False), "bicubic": (None, False)}
        if job.ensemble:
            ways["ensemble"] = network, True
        for name, (one, ensemble) in ways.items():
            found[name] = [score(one, image, with_ssim=False, ensemble=ensemble).psnr for image in images]
    return found


@functools.lru_cache(maxsize=4)
def _images(name: str, root: str | None) -> ImageSet:
    return load(name, data_root(root))


@functools.lru_cache(maxsize=8)
def _training_data(name: str, names: tuple[str, ...], root: str | None, scale: int, copies: int) -> TrainingData:
    wanted = set(names)
    chosen = tuple(pair for pair in _images(name, root).images if pair[0] in wanted)
    return prepare_cached(ImageSet(f"{name}[train]", chosen), scale, copies=copies)


@functools.lru_cache(maxsize=8)
def _measured(name: str, names: tuple[str, ...], root: str | None, scale: int) -> list[Degraded]:
    wanted = set(names)
    return [degrade(image, scale, name=one) for one, image in _images(name, root).images if one in wanted]


def sets_here(wanted: Sequence[str], root: Path) -> list[str]:
    """Return those of some named sets that are on disk."""
    return [name for name in wanted if locate(name, root).is_dir()]


@contextmanager
def pool_of(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes with one thread each."""
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # after Ctrl-C no further training begins


def results_of(pool: ProcessPoolExecutor, jobs: Mapping[str, Training]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run trainings by name, and yield each as it ends."""
    pending: dict[Future[dict[str, Any]], str] = {pool.submit(run_training, job): name for name, job in jobs.items()}
    for done in as_completed(pending):
        yield pending[done], done.result()
