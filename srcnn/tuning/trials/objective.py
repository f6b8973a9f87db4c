"""The numbers that a search optimises, and the one that lets scales share a study.

A higher scale is harder: its PSNR is always lower. The objective is therefore the gain over bicubic on the validation
images, divided by what the paper's 9-1-5 gains over bicubic on Set5 at that scale (ECCV 2014, table 1: 36.34 - 33.66,
32.39 - 30.39 and 30.09 - 28.42 dB). About 1 means: as good as the paper's network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["FAILED", "METRIC", "OBJECTIVES", "PAPER_GAIN", "Objective", "normalized_gain"]

#: Name of the metric that Tune, Optuna and MLflow share.
METRIC = "objective"

#: Gain of the paper's 9-1-5 over bicubic on Set5, in dB, by scale.
PAPER_GAIN = {2: 2.68, 3: 2.00, 4: 1.67}


@dataclass(frozen=True)
class Objective:
    """Something to optimise."""

    metric: str  #: its name in a trial's report
    direction: Literal["maximize", "minimize"]
    title: str  #: with its unit


#: By the names that ``--objectives`` takes.
OBJECTIVES: Mapping[str, Objective] = {
    "gain": Objective("best_objective", "maximize", "gain over bicubic, as a share of the paper's"),
    "macs": Objective("macs", "minimize", "multiply-accumulates a pixel"),
    "parameters": Objective("parameters", "minimize", "parameters"),
    "latency": Objective("latency_ms", "minimize", "ms for an image of 512x512 pixels on the trial's device"),
}

#: What a diverged or dead trial reports: finite, since schedulers and stores choke on NaN, and below any real figure.
FAILED = -1000.0


def normalized_gain(gain: float, scale: int) -> float:
    """A gain over bicubic in dB as a share of the paper's at the same scale."""
    return gain / PAPER_GAIN[scale]
