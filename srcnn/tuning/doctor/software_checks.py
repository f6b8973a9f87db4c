"""Checks that need no GPU. Each returns its result and raises an error on failure."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib import metadata
from typing import Any

import torch
from packaging.requirements import Requirement
from torch import Tensor

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.errors import SearchError, TrainingError
from srcnn.training.fit import fit, step_on
from srcnn.training.optimizers import orthogonal
from srcnn.training.patches import TrainingData, prepare
from srcnn.training.recorded_step import RecordingWarning
from srcnn.tuning.doctor.examination import Seen

__all__ = ["recorded_step", "sample", "small", "step_on_meta", "versions"]

_PACKAGES = ("torch", "numpy", "ray", "optuna", "mlflow")


def _installed(name: str) -> str | None:
    """Return the version of a package; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def versions() -> Seen:
    """Check that all required libraries are installed in supported versions, and those of the platform if they are there."""
    found = {name: version for name in _PACKAGES if (version := _installed(name))}
    found["python"] = ".".join(map(str, sys.version_info[:3]))
    built = torch.version.cuda
    for line in metadata.requires("srcnn") or ():
        needed = Requirement(line)
        extras = [e for e in ("", "search") if needed.marker is None or needed.marker.evaluate({"extra": e})]
        got = _installed(needed.name)
        if not extras or (got is None and "" not in extras):
            continue
        if got is None:
            raise SearchError(f"{needed.name}: must be {needed.specifier or 'installed'}, but is not installed")
        if not needed.specifier.contains(got, prereleases=True):
            raise SearchError(f"{needed.name}: must be {needed.specifier}, but got {got}")
    missing = [name for name in _PACKAGES if name not in found]
    text = ", ".join([f"{name} {version}" for name, version in found.items()] + [f"no {name}" for name in missing])
    return Seen(f"{text}; torch is built {f'for CUDA {built}' if built else 'without CUDA'}", {**found, "cuda": built})


def sample(count: int = 2) -> TrainingData:
    """Return training data from crops of a few bundled photographs, at x3."""
    images = [(name, image[100:196, 100:196]) for name, image in load("sample/train").images[:count]]
    return prepare(images, 3)


def small(**fields: Any) -> TrainConfig:
    """Return the configuration of a run of about a second."""
    sizes = {"kernels": (5, 1, 3), "filters": (16, 8), "patch_size": 24, "batch_size": 4, "epoch_pixels": 3e4}
    return TrainConfig(**{**sizes, "epochs": 2, **fields})


def step_on_meta() -> Seen:
    """Run a training step on the device ``meta``, where reading a value raises an error.

    It covers gather, forward, backward, clipping and the directions of Muon.
    """
    meta, kinds = torch.device("meta"), 0
    shuffled = {"upsampling": "pixel_shuffle", "patch_size": 36}
    for fields in ({"residual": True}, {"residual": False}, shuffled, {"padding": "zeros", "clip": 1.0}):
        gradients = step_on(meta, small(**fields), sample())
        elsewhere = {str(g.device) for g in gradients if g.device != meta}
        if elsewhere:
            raise TrainingError(f"a gradient is on the device {', '.join(elsewhere)} instead of meta")
        orthogonal(gradients[0].reshape(len(gradients[0]), -1))
        kinds += 1
    return Seen(f"{kinds} kinds of step read no value and stay on their device", {"kinds": kinds})


class _Again:
    """A recorder without a GPU. A replay calls the step again, or does nothing, to simulate a wrong recording."""

    def __init__(self, right: bool) -> None:
        self._right = right
        self.replayed = 0

    def run(self, body: Callable[[], None]) -> None:
        body()

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        def replay() -> None:
            self.replayed += 1
            if self._right:
                body()

        return replay

    def close(self) -> None:
        pass


def recorded_step() -> Seen:
    """Check that a correct recording is used, a wrong one is not, and that training gives the same weights in both cases."""
    steps = 0
    for optimizer in ("muon", "adam", "sgd"):
        config, data, cpu = small(optimizer=optimizer), sample(), torch.device("cpu")
        ends: list[dict[str, Tensor]] = []
        for recorder in (None, _Again(True), _Again(False)):
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                for result in fit(config, data, device=cpu, recorder=recorder):
                    last, steps = result, result.step
            ends.append({name: value.clone() for name, value in last.network.state_dict().items()})
            refused = any(issubclass(one.category, RecordingWarning) for one in told)
            if (
                recorder is not None
                and (refused, recorder.replayed > 1) != ((False, True), (True, False))[len(ends) - 2]
            ):
                raise TrainingError(
                    f"{optimizer}: the verification of a {('correct', 'wrong')[len(ends) - 2]} recording failed"
                )
        for other in ends[1:]:
            if any(not torch.equal(ends[0][name], value) for name, value in other.items()):
                raise TrainingError(f"{optimizer}: training with a recorder gives other weights than without")
    return Seen(
        f"a correct recording is used, a wrong one is not; weights are identical after {steps} steps", {"steps": steps}
    )
