"""The limit of how far a network may be behind bicubic on a drawn pattern (`srcnn.evaluation.drawn_patterns`).

This module does not import torch: figures that were measured before are compared with the limit where nothing is measured.
"""

from __future__ import annotations

import math

__all__ = ["LIMIT", "MOST_BEHIND", "NOT_MEASURABLE", "behind_words", "is_too_far_behind"]

#: How far a network may be behind bicubic on a pattern, in dB of PSNR. The networks with seven layers that shipped before were
#: 0.3 dB behind at most (x4, lines of 3 pixels); two networks that failed on photographs were 2.6 and 7.9 dB behind.
MOST_BEHIND = 1.0
LIMIT = f"more than {MOST_BEHIND:g} dB behind bicubic on a drawn pattern"  #: the limit in words
#: Stands for the lead of a network whose output is not a number, in dB. No image of 8 bits is so far behind bicubic.
NOT_MEASURABLE = -1000.0


def is_too_far_behind(lead: float | None) -> bool:
    """Return whether a lead over bicubic in dB breaks the limit, as NaN does. None, which means not measured, does not."""
    return lead is not None and (math.isnan(lead) or lead < -MOST_BEHIND)


def behind_words(lead: float) -> str:
    """Return how far a network is behind bicubic, such as ``2.6 dB``."""
    return "output not finite" if math.isnan(lead) or lead <= NOT_MEASURABLE else f"{-lead:.1f} dB"
