"""Measurement of a network for a table, on every image of every test set. The metrics have the names used in table files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from srcnn.tuning.tracking import names

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

        def named(kind: str, image: str = "", images: ImageSet = images) -> str:
            return str(names.SetFigure(images.name, subject.scale, kind, image))

        if kind == "planes":
            found |= _planes(network, images, subject.scale, named)
        else:
            result = evaluate(network, images.images, subject.scale)
            found |= {named(names.PSNR): result.mean.psnr, named(names.SSIM): result.mean.ssim}
            found |= {named(names.PSNR, score.name): score.psnr for score in result.images}
        if kind == "article":
            pooled = [degrade_for("article", image, subject.scale, "y", name) for name, image in images.images]
            found[named(names.ARTICLE)] = average_psnr(network, pooled, _ARTICLE_BATCH)
        if network is not None and images is sets[0]:
            found[named(names.SECONDS)] = _seconds(network, images, subject.scale)
    return found


def _planes(network: SRCNN | None, images: ImageSet, scale: int, named: Callable[..., str]) -> dict[str, float]:
    from srcnn.evaluation.color_table import score_planes

    scores = score_planes(network, images.images, scale)
    found: dict[str, float] = {}
    for name in names.PLANES:
        figures = [float(getattr(score, name.lower())) for score in scores]
        found[named(name)] = float(np.mean(figures))
        found |= {named(name, score.name): figure for score, figure in zip(scores, figures, strict=True)}
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
    subjects: Mapping[str, Subject],
    sets: Sequence[ImageSet],
    kind: str,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[str, dict[str, float]]]:
    """Call `measure_subject` on free cores of the cluster, and yield each result with its key as soon as it is there.

    Args:
        subjects: networks by their keys.
        sets: test sets.
        kind: as in `measure_subject`.
        stop: asked twice a second; once it is true, what is being measured is given up.
    """
    images = ray.put(list(sets))
    pending = {_remote.options(num_cpus=1).remote(one, images, kind): key for key, one in subjects.items()}
    try:
        while pending and not stop():
            for reference in ray.wait(list(pending), timeout=0.5)[0]:
                yield pending.pop(reference), ray.get(reference)
    finally:
        for reference in pending:
            ray.cancel(reference, force=True)
