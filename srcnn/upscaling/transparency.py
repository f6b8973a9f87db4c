"""Transparency: colours are enlarged premultiplied by alpha, so that what a transparent pixel hides cannot show at an edge.

T. Porter, T. Duff, "Compositing Digital Images", SIGGRAPH 1984: a premultiplied pixel is what it adds to the picture, and the picture
is linear in it. Functions take levels as tensors or arrays of floating-point numbers: colours (..., channels) and alpha (..., 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["premultiply", "snap_alpha", "unpremultiply"]

_NEAR = 1e-4  # of white: bicubic sums of equal pixels are exact to 1e-6


def premultiply(colours: Tensor, alpha: Tensor, peak: float) -> Tensor:
    """Multiply colours by alpha / ``peak``; both are levels from 0 to ``peak``, and so is the result."""
    return colours * (alpha / peak)


def unpremultiply(colours: Tensor, alpha: Tensor, peak: float) -> Tensor:
    """Divide premultiplied colours by alpha / ``peak`` and clip them to [0, peak]. Where alpha is 0 they are 0."""
    plain = colours * peak / alpha.clamp_min(peak * 1e-6)
    return torch.where(alpha > 0, plain, 0.0).clamp_(0.0, peak)


def snap_alpha(alpha: Tensor, bicubic: Tensor, peak: float) -> Tensor:
    """Clip enlarged alpha, and make it wholly opaque or transparent where its bicubic image is.

    A network reproduces a constant only nearly, and one with zero padding darkens the edge of the image: an opaque area would
    become slightly transparent.
    """
    alpha = torch.where(bicubic >= peak * (1 - _NEAR), peak, alpha)
    return torch.where(bicubic <= peak * _NEAR, 0.0, alpha).clamp_(0.0, peak)
