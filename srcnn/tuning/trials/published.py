"""Figures from the papers that a search shows for comparison."""

from __future__ import annotations

__all__ = ["printed"]

# Dong et al.: the network 9-1-5 (64-32) trained on the 91 images. Set5: ECCV 2014, table 1. The paper has no Set14 figures for
# this network; those here are measured by this package with the weights that the authors released.
_FIGURES = {
    "Set5": {2: 36.34, 3: 32.39, 4: 30.09},
    "Set14": {2: 32.18, 3: 29.00, 4: 27.20},
}


def printed(name: str, scale: int) -> float | None:
    """Return the mean PSNR of the authors' 9-1-5, trained on T91, on a test set in dB; None if it is not known."""
    return _FIGURES.get(name, {}).get(scale)
