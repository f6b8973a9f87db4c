"""Enlarging a photo with alpha without fringes, by a function that enlarges grey and RGB.

The colour below transparent pixels means nothing and must not bleed into the edge, so the function works on colour times alpha. The
result is divided by the enlarged alpha again. Both must be enlarged the same way, or the edge becomes darker or brighter: the luma is
divided by the alpha that went through the network, and the chroma, which is enlarged by bicubic, by the alpha enlarged by bicubic.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from srcnn.upscaling.bicubic_picture import resize_picture

__all__ = ["enlarge_pixels"]

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
#: Enlarges a picture, (height, width) or (height, width, 3), uint8, uint16 or float32 in [0, 1]; calls progress(done, total).
Enlarge = Callable[[NDArray[np.generic], Callable[[int, int], None]], NDArray[np.generic]]

#: Luma of linear sums of R, G and B, BT.601.
_LUMA = np.array([65.481, 128.553, 24.966], np.float32) / np.float32(219.0)
_ROWS = 256
#: Below this the colour of a pixel cannot be seen.
_NOTHING = np.float32(1 / 4096)
#: A network reproduces constant areas only nearly: where bicubic is this near to 0 or 1, the alpha becomes that.
_NEAR = np.float32(1e-4)


def enlarge_pixels(pixels: Pixels, enlarge: Enlarge, progress: Callable[[int, int], None]) -> Pixels:
    """Enlarge a photo's pixels.

    Args:
        pixels: uint8 or uint16; (height, width) or (height, width, channels), 2 grey and alpha, 3 RGB, 4 RGBA.
        enlarge: for pictures without alpha.
        progress: called with (done, total).

    Returns:
        The same type and channels, of the size that ``enlarge`` gives. Alpha is not multiplied into the colour.
    """
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return _same_type(enlarge(pixels, progress), pixels)
    top = np.iinfo(pixels.dtype).max
    color = pixels[..., 0] if pixels.shape[2] == 2 else pixels[..., :3]
    if bool((pixels[..., -1] == top).all()):
        opaque = enlarge(np.ascontiguousarray(color), progress)
        alpha = np.full((*opaque.shape[:2], 1), top, pixels.dtype)
        return _same_type(np.concatenate([opaque.reshape(*alpha.shape[:2], -1), alpha], axis=2), pixels)
    alpha = pixels[..., -1].astype(np.float32) / top
    product = color.astype(np.float32) / top * (alpha if color.ndim == 2 else alpha[..., None])
    large = enlarge(product, lambda done, total: progress(done, 2 * total))
    # As luma the alpha lies in [16, 235] / 255, as the luma of white times alpha does: so both take the same way.
    scaled = alpha if color.ndim == 2 else (16 + 219 * alpha) / np.float32(255)
    large_alpha = enlarge(scaled.astype(np.float32), lambda done, total: progress(total + done, 2 * total))
    if color.ndim == 3:
        large_alpha = (large_alpha * np.float32(255) - 16) / np.float32(219)
    smooth = resize_picture(alpha, large.shape[1], large.shape[0])
    return _divided(large.astype(np.float32, copy=False), large_alpha, smooth, pixels.dtype)


def _same_type(result: NDArray[np.generic], like: Pixels) -> Pixels:
    assert result.dtype == like.dtype
    return result  # type: ignore[return-value]


def _divided(
    product: NDArray[np.float32], alpha: NDArray[np.generic], smooth: NDArray[np.float32], kind: np.dtype[np.uint8 | np.uint16]
) -> Pixels:
    """Return colour and alpha; ``smooth`` is the alpha by bicubic, which belongs to the chroma."""
    top = np.float32(np.iinfo(kind).max)
    grey = product.ndim == 2
    out = np.empty((*product.shape[:2], 2 if grey else 4), kind)
    for begin in range(0, len(product), _ROWS):
        rows = slice(begin, begin + _ROWS)
        soft = smooth[rows]
        opacity = np.where(soft >= 1 - _NEAR, 1, np.where(soft <= _NEAR, 0, alpha[rows])).clip(0, 1).astype(np.float32)
        share = np.maximum(opacity, _NOTHING)
        if grey:
            color = (product[rows] / share)[..., None]
        else:
            luma = product[rows] @ _LUMA
            chroma = product[rows] - luma[..., None]
            color = (luma / share)[..., None] + chroma / np.maximum(soft, _NOTHING)[..., None]
        color = np.where((opacity > _NOTHING)[..., None], color, 0)
        out[rows, :, :-1] = np.clip(color * top + np.float32(0.5), 0, top)
        out[rows, :, -1] = np.clip(opacity * top + np.float32(0.5), 0, top)
    return out  # type: ignore[return-value]
