"""Transparency: colours are enlarged premultiplied by alpha, so that what a transparent pixel hides cannot show at an edge.

T. Porter, T. Duff, "Compositing Digital Images", SIGGRAPH 1984: a premultiplied pixel is what it adds to the picture, and the
picture is linear in it. Functions take levels as tensors of floating-point numbers: colours (..., channels) and alpha (..., 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from srcnn.imaging.color import BT601

__all__ = ["match_chroma", "premultiply", "snap_alpha", "unpremultiply"]

_LUMA = tuple(float(part) for part in BT601[0] / BT601[0].sum())  # the share of R, G and B in a luma without offset
_FAINT = 1 / 255  # of white: below it no chroma can be told from the bicubic image

_NEAR = 1e-4  # of white: bicubic sums of equal pixels are exact to 1e-6


def premultiply(colours: Tensor, alpha: Tensor, peak: float) -> Tensor:
    """Multiply colours by alpha / ``peak``; both are levels from 0 to ``peak``, and so is the result."""
    return colours * (alpha / peak)


def unpremultiply(colours: Tensor, alpha: Tensor, peak: float) -> Tensor:
    """Divide premultiplied colours by alpha / ``peak`` and clip them to [0, peak]. Where alpha is 0 they are 0."""
    plain = colours * peak / alpha.clamp_min(peak * 1e-6)
    return torch.where(alpha > 0, plain, 0.0).clamp_(0.0, peak)


def match_chroma(colours: Tensor, alpha: Tensor, bicubic: Tensor, peak: float) -> Tensor:
    """Scale the chroma of premultiplied RGB from the bicubic alpha to the network's.

    Where a network enlarges Y alone, Cb and Cr times alpha are enlarged by bicubic. Divided by the alpha of the network, which is
    sharper, they leave a grey seam inside an edge and too much colour outside it.
    """
    luma = colours[..., :1] * _LUMA[0] + colours[..., 1:2] * _LUMA[1] + colours[..., 2:] * _LUMA[2]
    ratio = torch.where(bicubic > peak * _FAINT, alpha / bicubic.clamp_min(peak * _FAINT), 0.0)
    # An opaque pixel keeps its bits: a tile without transparency is computed without this.
    return torch.where((bicubic - peak).abs() <= peak * _NEAR, colours, luma + (colours - luma) * ratio)


def snap_alpha(alpha: Tensor, bicubic: Tensor, peak: float) -> Tensor:
    """Clip enlarged alpha, and make it wholly opaque or transparent where the small pixels around are.

    There its bicubic image is as well. A network reproduces a constant only nearly, and one with zero padding darkens the edge of
    the image: an opaque area would become slightly transparent. Where bicubic overshoots at an edge the alpha remains that of the
    network, with which the colours agree.
    """
    alpha = torch.where((bicubic - peak).abs() <= peak * _NEAR, peak, alpha)
    return torch.where(bicubic.abs() <= peak * _NEAR, 0.0, alpha).clamp_(0.0, peak)
