"""Measurement of a network for a table, on every image of every test set. The metrics have the names used in table files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import ray

from srcnn.data.image_set import ImageSet
from srcnn.evaluation.article import average_psnr
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import evaluate, reconstruct
from srcnn.model.network import SRCNN
from srcnn.model.official_weights import load_official
from srcnn.model.weights_file import load_network
from srcnn.system.allocator import keep_freed_memory
from srcnn.training.patches import degrade_for

__all__ = ["Subject", "measure_subject", "measure_subjects"]

_ARTICLE_BATCH = 8  # images per PSNR in the article's protocol


@dataclass(frozen=True)
class Subject:
    """A network to measure: a checkpoint, a file of the authors, or bicubic."""

    scale: int
    path: Path | None = None
    official: bool = False

    def load(self) -> SRCNN | None:
        """Load the network; None for bicubic."""
        if self.path is None:
            return None
        return load_official(self.path, self.scale) if self.official else load_network(self.path)


def measure_subject(subject: Subject, sets: Sequence[ImageSet], kind: str) -> dict[str, float]:
    """Return the metrics of a network.

    Args:
        subject: the network.
        sets: test sets.
        kind: ``psnr``, ``planes`` or ``article``, as in `srcnn.tuning.paper.table.Table.measure`.

    Returns: ``Set5/x3/psnr``, ``Set5/x3/ssim`` and ``Set5/x3/psnr/baby``, in dB; with ``planes`` the same with Y, Cb,
        Cr and color in place of psnr. ``Set5/x3/seconds`` is the mean inference time per image of the first set, the
        faster of two passes.
    """
    network = subject.load()
    found: dict[str, float] = {}
    for images in sets:
        at = f"{images.name}/x{subject.scale}"
        if kind == "planes":
            found |= _planes(network, images, subject.scale, at)
        else:
            result = evaluate(network, images.images, subject.scale)
            found |= {f"{at}/psnr": result.mean.psnr, f"{at}/ssim": result.mean.ssim}
            found |= {f"{at}/psnr/{score.name}": score.psnr for score in result.images}
        if kind == "article":
            pooled = [degrade_for("article", image, subject.scale, "y", name) for name, image in images.images]
            found[f"{at}/article"] = average_psnr(network, pooled, _ARTICLE_BATCH)
        if network is not None and images is sets[0]:
            found[f"{at}/seconds"] = _seconds(network, images, subject.scale)
    return found


def _planes(network: SRCNN | None, images: ImageSet, scale: int, at: str) -> dict[str, float]:
    from srcnn.evaluation.color_table import score_planes

    scores = score_planes(network, images.images, scale)
    found: dict[str, float] = {}
    for name, field in (("Y", "y"), ("Cb", "cb"), ("Cr", "cr"), ("color", "color")):
        figures = [float(getattr(score, field)) for score in scores]
        found[f"{at}/{name}"] = float(np.mean(figures))
        found |= {f"{at}/{name}/{score.name}": figure for score, figure in zip(scores, figures, strict=True)}
    return found


def _seconds(network: SRCNN, images: ImageSet, scale: int) -> float:
    color = network.config.color
    prepared = [degrade(image, scale, color=color, name=name) for name, image in images.images]
    passes = []
    for _ in range(2):
        started = time.perf_counter()
        for image in prepared:
            reconstruct(network, image)
        passes.append((time.perf_counter() - started) / len(prepared))
    return min(passes)


@ray.remote  # type: ignore[untyped-decorator]
def _remote(subject: Subject, sets: Sequence[ImageSet], kind: str) -> dict[str, float]:
    import torch

    torch.set_num_threads(1)
    keep_freed_memory()
    return measure_subject(subject, sets, kind)


def measure_subjects(
    subjects: Mapping[str, Subject], sets: Sequence[ImageSet], kind: str
) -> dict[str, dict[str, float]]:
    """Call `measure_subject` on free cores of the cluster. Return the results by the keys of ``subjects``."""
    images = ray.put(list(sets))
    pending = {key: _remote.options(num_cpus=1).remote(one, images, kind) for key, one in subjects.items()}
    return {key: ray.get(reference) for key, reference in pending.items()}
