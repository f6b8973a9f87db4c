"""Section ``inference``: time of reconstruction, score and bicubic resizing of one image; fp32, one core, one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from srcnn.config.architecture import ModelConfig
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import reconstruct, score
from srcnn.imaging.resize import imresize
from srcnn.model.network import SRCNN

from _bench.machine import clock, pinned
from _bench.record import Bench, summary

__all__ = ["run_inference"]

_SIDES = (512, 1024)
_SCALE = 2  # divides the side lengths; with bicubic input the time depends only on the size of the output
_FILTERS = (64, 32)


def _milliseconds(work: Callable[[], object], seconds: float) -> dict[str, float]:
    """Return statistics of at least five samples, after a warm-up."""
    work()
    found: list[float] = []
    until = time.perf_counter() + seconds
    while len(found) < 5 or time.perf_counter() < until:
        started = clock("cpu")
        work()
        found.append(1e3 * (clock("cpu") - started))
    return summary(found)


def run_inference(bench: Bench) -> None:
    """Measure and print."""
    seconds = 0.2 if bench.quick else 2.0
    rows: list[dict[str, Any]] = []
    with pinned(bench.core):
        for side in _SIDES:
            noise = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
            image = degrade(noise, _SCALE)
            for kernels in bench.kernels:
                network = SRCNN(ModelConfig(kernels=kernels, filters=_FILTERS, scale=_SCALE))
                row: dict[str, Any] = {"work": kernels, "side": side}
                row["ms"] = _milliseconds(lambda n=network, i=image: reconstruct(n, i), seconds)  # type: ignore[misc]
                row["score_ms"] = _milliseconds(
                    lambda n=network, i=image: score(n, i, with_ssim=False),  # type: ignore[misc]
                    seconds,
                )
                rows.append(row)
            plane, factor = image.target, Fraction(1, _SCALE)
            for work, call in (
                ("bicubic, shrink", lambda p=plane, f=factor: imresize(p, f)),
                ("bicubic, enlarge", lambda p=image.small: imresize(p, _SCALE)),
            ):
                rows.append({"work": work, "side": side, "ms": _milliseconds(call, seconds)})
            bench.say(f"{side}x{side} done")
    for row in rows:
        row["mpixels_per_second"] = row["side"] ** 2 / row["ms"]["median"] / 1e3
    bench.record.put("inference", {"device": "cpu", "precision": "fp32", "filters": _FILTERS, "rows": rows})
    table = []
    for row in rows:
        ms = row["ms"]
        cells = [row["work"], f"{row['side']}x{row['side']}", f"{row['mpixels_per_second']:.2f}"]
        cells.append(f"{ms['median']:.1f} [{ms['min']:.1f}..{ms['max']:.1f}], n {ms['n']}")
        table.append([*cells, f"{row['score_ms']['median']:.1f}" if "score_ms" in row else ""])
    heads = ["work", "large image", "Mpixel/s", "ms: median [smallest..largest]", "with PSNR, ms"]
    notes = ["one core, one thread, fp32, one plane; filters 64-32, bicubic input; pixels are the large image's"]
    bench.table("inference", heads, table, notes)
