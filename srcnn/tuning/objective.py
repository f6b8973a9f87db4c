"""The number that a search maximises, and the one that lets scales share a study.

A higher scale is harder: its PSNR is always lower. The objective is therefore the gain over bicubic on the validation
images, divided by what the paper's 9-1-5 gains over bicubic on Set5 at that scale (ECCV 2014, table 1: 36.34 - 33.66,
32.39 - 30.39 and 30.09 - 28.42 dB). About 1 means: as good as the paper's network.
"""

from __future__ import annotations

__all__ = ["FAILED", "METRIC", "PAPER_GAIN", "normalized_gain"]

#: Name of the metric that Tune, Optuna and MLflow share.
METRIC = "objective"

#: Gain of the paper's 9-1-5 over bicubic on Set5, in dB, by scale.
PAPER_GAIN = {2: 2.68, 3: 2.00, 4: 1.67}

#: What a diverged or dead trial reports: finite, since schedulers and stores choke on NaN, and below any real figure.
FAILED = -1000.0


def normalized_gain(gain: float, scale: int) -> float:
    """A gain over bicubic in dB as a share of the paper's at the same scale."""
    return gain / PAPER_GAIN[scale]
