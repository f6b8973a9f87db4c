"""Checks with small searches, on the GPUs known to Ray, real or simulated."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import ray

from srcnn.data.datasets import load
from srcnn.errors import SearchError
from srcnn.imaging.image_files import write_image
from srcnn.system.gpu import gpu_count
from srcnn.training.throughput import training_rate
from srcnn.tuning.doctor.examination import Seen
from srcnn.tuning.doctor.software_checks import sample
from srcnn.tuning.driver.cluster import be_quiet
from srcnn.tuning.driver.events import Event
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.whole_search.run import plan_search, run_search
from srcnn.tuning.worker.trial_device import Place, trial_device

__all__ = ["four_trials", "invented_gpus", "two_trials_share_a_card"]

_SPACE = """\
parameters:
  n1: {type: categorical, choices: [16, 32]}
  kernels: {type: categorical, choices: [5-1-3, 5-3-3]}
  learning_rate: {type: float, low: 2.0e-4, high: 8.0e-4, log: true}
constants:
  n2: 16
  scale: 3
  patch_size: 24
  batch_size: 8
"""
_BUDGET = 2e5  # target pixels of a trial, a second or less
_SECONDS = 4.0  # training time of concurrent trials, in seconds


def invented_gpus() -> Seen:
    """Check that with two simulated GPUs Ray gives every trial one of them, and never the same to two concurrent trials."""
    if gpu_count():
        return Seen("not needed: this machine has real GPUs, see --gpu")
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)  # an empty value would hide simulated GPUs as well
    _start_ray(num_cpus=4, num_gpus=2)
    try:
        both = [_process(1) for _ in range(2)]
        given = sorted(ray.get([one.card.remote() for one in both]))
        for one in both:
            ray.kill(one)
        if given != ["0", "1"]:
            raise SearchError(f"two concurrent trials must get the GPUs 0 and 1, but got {given}")
        seen = _search(4)
    finally:
        ray.shutdown()
    _check_cards([device for device, _, _ in seen], kind="cpu", cards=["0", "1"])
    for i, (device, begin, end) in enumerate(seen):
        for other, other_begin, other_end in seen[i + 1 :]:
            if device == other and min(end, other_end) > max(begin, other_begin):
                raise SearchError(f"two concurrent trials used GPU {device.split()[-1]}")
    return Seen(
        f"two concurrent trials on GPUs 0 and 1; a search of {len(seen)} trials, one GPU each", {"trials": len(seen)}
    )


def two_trials_share_a_card() -> Seen:
    """Check that two trials with half a GPU each train at the same time, each with half of the memory."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    os.environ["CUDA_VISIBLE_DEVICES"] = first
    _start_ray(num_cpus=2, num_gpus=1)
    try:
        both = [_process(0.5) for _ in range(2)]
        cards = ray.get([one.card.remote() for one in both])
        if len(set(cards)) != 1:
            raise SearchError(f"two trials with half a GPU each must get the same GPU, but got {' and '.join(cards)}")
        spans = ray.get([one.train.remote(_SECONDS) for one in both])
    finally:
        ray.shutdown()
    if min(end for _, end, _ in spans) <= max(begin for begin, _, _ in spans):
        raise SearchError("the two trials did not train at the same time")
    rates = [rate / 1e6 for _, _, rate in spans]
    text = f"both trained at the same time, {rates[0]:.1f} and {rates[1]:.1f} Mpixel/s"
    return Seen(text, {"card": cards[0], "mpixels": rates})


def four_trials() -> Seen:
    """Run a search of four trials with one GPU each, as many concurrently as there are GPUs."""
    count = gpu_count()
    be_quiet()
    seen = _search(4)
    cards = _check_cards([device for device, _, _ in seen], kind="cuda")
    most = max(sum(begin <= moment < end for _, begin, end in seen) for _, moment, _ in seen)
    text = f"{len(seen)} trials finished on {len(cards)} of {count} GPU(s), up to {most} concurrently"
    return Seen(text, {"trials": len(seen), "cards": cards, "at_a_time": most})


def _start_ray(**resources: int) -> None:
    be_quiet()
    ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="ERROR", **resources)


class _Process:
    """A process as Ray starts it for a trial."""

    def card(self) -> str:
        return os.environ.get("CUDA_VISIBLE_DEVICES", "")

    def train(self, seconds: float) -> tuple[float, float, float]:
        """Train; return the start and end of the training in wall time, and the target pixels per second."""
        device = trial_device(Place("", 1, 0.5))
        begin = time.time()
        rate = training_rate("5-1-3", (16, 8), sample(), device, seconds)
        return begin, time.time(), rate


def _process(gpus: float) -> Any:
    return ray.remote(num_cpus=1, num_gpus=gpus)(_Process).remote()


def _check_cards(devices: list[str], kind: str, cards: list[str] | None = None) -> list[str]:
    """Check that every trial ran on one GPU. Return the GPUs used."""
    for device in devices:
        name, _, card = device.partition(" ")
        if name != kind or not card or "," in card or (cards is not None and card not in cards):
            raise SearchError(f"a trial must run on one GPU, but ran on {device or 'nothing'!r}")
    return sorted({device.partition(" ")[2] for device in devices})


def _search(trials: int) -> list[tuple[str, float, float]]:
    """Run a search of a few seconds with a GPU per trial. Return device, start and last report of every trial, in seconds.

    Raises:
        SearchError: a trial did not finish.
    """
    began: dict[str, float] = {}
    seen: dict[str, tuple[str, float, float]] = {}

    def listen(event: Event) -> None:
        if event.kind == "start":
            began[event.trial_id] = time.monotonic()
        elif event.kind == "report" and event.report is not None:
            seen[event.trial_id] = event.report.device, began[event.trial_id], time.monotonic()

    with tempfile.TemporaryDirectory() as folder:
        given: dict[str, Any] = {
            "space": f"{folder}/space.yaml",
            "train": f"{folder}/train",
            "test": (f"{folder}/test",),
        }
        given |= {"validation": 2, "budget": _BUDGET, "scheduler": "none", "sampler": "random", "enqueue": ()}
        given |= {"tracking_uri": f"sqlite:///{folder}/mlflow.db", "storage": f"{folder}/ray", "gpus_per_trial": 1.0}
        Path(given["space"]).write_text(_SPACE, encoding="utf-8")
        for kind, count in (("train", 6), ("test", 1)):
            for name, image in load(f"sample/{kind}").images[:count]:
                write_image(Path(folder) / kind / f"{name}.png", image[100:196, 100:196])
        result = run_search(
            plan_search(SearchSettings(name="doctor", trials=trials, confirm=False, **given)), listener=listen
        )
        for row in result.rows:
            if row.outcome != "finished":
                raise SearchError(f"trial {row.trial_id} {row.outcome}: {row.failure or 'no reason given'}")
    return list(seen.values())
