"""The papers' printed figures that a search shows beside its own."""

from __future__ import annotations

__all__ = ["printed"]

# Dong et al.: the network 9-1-5 (64-32) trained on the 91 images. Set5: ECCV 2014, table 1. The paper prints no Set14
# row for this network; those figures are the authors' released weights measured again by this package.
_FIGURES = {
    "Set5": {2: 36.34, 3: 32.39, 4: 30.09},
    "Set14": {2: 32.18, 3: 29.00, 4: 27.20},
}


def printed(name: str, scale: int) -> float | None:
    """PSNR in dB of the authors' 9-1-5, trained on T91, on a test set; None where none is known."""
    return _FIGURES.get(name, {}).get(scale)
