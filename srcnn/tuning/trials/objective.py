"""Objectives of a search, and the normalized gain, which is comparable between scales.

PSNR is always lower at higher scales. So the objective is the gain over bicubic on the validation images, divided by the gain
of the paper's 9-1-5 over bicubic on Set5 at the same scale (ECCV 2014, table 1: 36.34 - 33.66, 32.39 - 30.39 and 30.09 - 28.42
dB). A value near 1 means that a network is about as good as the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["FAILED", "METRIC", "OBJECTIVES", "PAPER_GAIN", "Objective", "normalized_gain"]

#: Name of the metric in Tune, Optuna and MLflow.
METRIC = "objective"

#: Gain of the paper's 9-1-5 over bicubic on Set5, in dB, by scale.
PAPER_GAIN = {2: 2.68, 3: 2.00, 4: 1.67}


@dataclass(frozen=True)
class Objective:
    """Figure of a trial that a search can optimize."""

    metric: str  #: name in a trial's report
    direction: Literal["maximize", "minimize"]
    title: str  #: title with the unit, for axes and tables


#: Objectives by their names in ``--objectives``.
OBJECTIVES: Mapping[str, Objective] = {
    "gain": Objective("best_objective", "maximize", "gain over bicubic, as a share of the paper's"),
    "macs": Objective("macs", "minimize", "multiply-accumulates a pixel"),
    "parameters": Objective("parameters", "minimize", "parameters"),
    "latency": Objective("latency_ms", "minimize", "ms for an image of 512x512 pixels on the trial's device"),
}

#: Objective of a failed trial: finite, because schedulers and stores do not support NaN, and below all real values.
FAILED = -1000.0


def normalized_gain(gain: float, scale: int) -> float:
    """Return a gain over bicubic in dB, divided by the paper's gain at the same scale."""
    return gain / PAPER_GAIN[scale]
