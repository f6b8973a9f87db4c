"""One pass of a network over a photo: tile by tile, in colour, with transparency, into an array for the result.

Of the photo and the result only the pixels of a tile are converted to float32, so the memory beside both arrays is a few
megabytes for each thread, whatever the size of the photo.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srcnn.upscaling.bicubic import REACH, enlarge_by_integer, read_part, resize_part
from srcnn.upscaling.planes import PlaneMap, plane_map
from srcnn.upscaling.tiles import PreparedNetwork, Tile, forward, in_threads, tiles
from srcnn.upscaling.transparency import match_chroma, premultiply, snap_alpha, unpremultiply

__all__ = ["Progress", "network_pass", "peak_of", "resize_pass"]

Progress = Callable[[int], None]  #: takes the number of finished pixels of the result

_RESIZED_SIDE = 128  # rows of a tile of plain bicubic resizing


def peak_of(dtype: np.dtype[Any]) -> float:
    """The level of white: 255, 65535, or 1 for float32."""
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0


def network_pass(
    image: NDArray[Any],
    out: NDArray[Any],
    network: PreparedNetwork,
    *,
    threads: int | None = None,
    tile: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Enlarge ``image`` by the network's scale into ``out``.

    Args:
        image: (height, width) or (height, width, channels), uint8, uint16 or float32 in [0, 1]. The last of 2 or 4 channels is
            alpha, not premultiplied.
        out: scale times as high and wide, uint8, uint16 or float32; a memory map serves. Float results are clipped to [0, 1].
        network: the layers, see `srcnn.upscaling.tiles.prepare`.
        threads: None: as many as torch uses. The result does not depend on it.
        tile: rows of the network's input in a tile, at least 1; None: a fast number. The result does not depend on it.
        progress: called after each tile, in the caller's thread.
    """
    scale = network.config.scale
    height, width = image.shape[:2]
    at_input = (
        1 if network.config.upsampling == "pixel_shuffle" else scale
    )  # large pixels count in a network of bicubic input
    side = tile if tile is not None else max(1, network.side // at_input)
    store = _Store(out, scale)

    def work(part: Tile) -> None:
        levels = read_part(image, part, _context(network))
        if levels.shape[-1] in (2, 4):
            result = _with_alpha(network, levels, part, height, width, peak_of(image.dtype))
        else:
            result = _enlarged(network, levels, part, height, width, peak_of(image.dtype))[0]
        store.put(part, result, peak_of(image.dtype))

    def done(part: Tile) -> None:
        if progress is not None:
            progress((part.bottom - part.top) * (part.right - part.left) * scale**2)

    in_threads(work, tiles(height, width, side), threads, done)


def _context(network: PreparedNetwork) -> int:
    """Small pixels around a tile that its result depends on."""
    if network.config.upsampling == "pixel_shuffle":
        return max(REACH, network.margin)
    return REACH + -(-network.margin // network.config.scale)


def _enlarged(
    network: PreparedNetwork, levels: Tensor, part: Tile, height: int, width: int, peak: float
) -> tuple[Tensor, Tensor]:
    """The enlarged tile and its bicubic image, levels (1, rows, columns, scale * scale * channels), not rounded.

    ``levels`` is the tile with its context of `_context` pixels, of an image of the height and width.
    """
    colours = plane_map(network.config, levels.shape[-1], peak)
    context = _context(network)
    bicubic = enlarge_by_integer(_inner(levels, context - REACH), network.config.scale)
    make = _on_small if network.config.upsampling == "pixel_shuffle" else _on_large
    outputs = make(network, colours, levels, part, height, width)
    return colours.combine(outputs, bicubic), bicubic


def _on_small(
    network: PreparedNetwork, colours: PlaneMap, levels: Tensor, part: Tile, height: int, width: int
) -> Tensor:
    context = _context(network)
    seen = part.grown(network.margin, height, width)
    top, left = seen.top - (part.top - context), seen.left - (part.left - context)
    cut = levels[:, top : top + seen.bottom - seen.top, left : left + seen.right - seen.left].contiguous()
    return forward(network, colours.planes(cut), part, height, width)


def _on_large(
    network: PreparedNetwork, colours: PlaneMap, levels: Tensor, part: Tile, height: int, width: int
) -> Tensor:
    scale, planes = network.config.scale, network.config.channels
    small = enlarge_by_integer(colours.planes(levels), scale)
    rows, columns = small.shape[1], small.shape[2]
    large = small.view(rows, columns, scale, scale, planes).permute(0, 2, 1, 3, 4)
    large = large.reshape(1, rows * scale, columns * scale, planes)
    context = (_context(network) - REACH) * scale  # of the large tile
    whole = Tile(part.top * scale, part.bottom * scale, part.left * scale, part.right * scale)
    seen = whole.grown(network.margin, height * scale, width * scale)
    top, left = seen.top - (whole.top - context), seen.left - (whole.left - context)
    large = large[:, top : top + seen.bottom - seen.top, left : left + seen.right - seen.left].contiguous()
    out = forward(network, large, whole, height * scale, width * scale)
    rows, columns = part.bottom - part.top, part.right - part.left
    out = out.view(rows, scale, columns, scale, planes).permute(0, 2, 4, 1, 3)  # as a PixelShuffle would take it
    return out.reshape(1, rows, columns, planes * scale**2)


def _with_alpha(network: PreparedNetwork, levels: Tensor, part: Tile, height: int, width: int, peak: float) -> Tensor:
    """Enlarge premultiplied colours and alpha, each as an image of the same kind, and divide the one by the other."""
    count = network.config.scale**2
    channels = levels.shape[-1] - 1
    colours, alpha = levels[..., :-1], levels[..., -1:]
    if bool((alpha == peak).all()):
        large = _enlarged(network, colours.contiguous(), part, height, width, peak)[0]
        opaque = torch.full_like(large[..., :1], peak).expand(*large.shape[:-1], count)
    else:
        large = _enlarged(network, premultiply(colours, alpha, peak), part, height, width, peak)[0]
        repeated = alpha.expand(*alpha.shape[:-1], channels).contiguous()
        shape, smooth = _enlarged(network, repeated, part, height, width, peak)
        smooth = smooth[..., ::channels]
        opaque = snap_alpha(shape[..., ::channels], smooth, peak)
        if channels == 3 and network.config.color == "y":
            large = match_chroma(
                large.view(*large.shape[:-1], count, channels), opaque.unsqueeze(-1), smooth.unsqueeze(-1), peak
            )
            large = large.flatten(-2)
    large = large.view(*large.shape[:-1], count, channels)
    opaque = opaque.unsqueeze(-1)
    return torch.cat([unpremultiply(large, opaque, peak), opaque], dim=-1).flatten(-2)


def _inner(x: Tensor, margin: int) -> Tensor:
    if not margin:
        return x
    return x[:, margin : x.shape[1] - margin, margin : x.shape[2] - margin].contiguous()


class _Store:
    """Rounds enlarged tiles and writes them to the result, whose pixels lie in another order."""

    def __init__(self, out: NDArray[Any], scale: int) -> None:
        self._out, self._scale = out, scale
        self._peak = peak_of(out.dtype)

    def put(self, part: Tile, levels: Tensor, peak: float) -> None:
        """Write a tile (1, rows, columns, scale * scale * channels) whose white is ``peak``; it is overwritten."""
        scale, out = self._scale, self._out
        if peak != self._peak:
            levels = levels.mul_(self._peak / peak)
        values = _rounded(levels, out.dtype)
        rows, columns = part.bottom - part.top, part.right - part.left
        values = values.reshape(rows, columns, scale, -1)  # the last axis: a small pixel's columns of one large row
        target = out[part.top * scale : part.bottom * scale, part.left * scale : part.right * scale]
        for row in range(scale):
            target[row::scale] = values[:, :, row].reshape(rows, columns * scale, *out.shape[2:])


def _rounded(levels: Tensor, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The values of the result: halves up, as MATLAB rounds, and clipped."""
    if dtype.kind != "u":
        return levels.clamp_(0.0, 1.0).numpy()
    levels = levels.add_(0.5).clamp_(0.0, peak_of(dtype) + 0.5)
    return levels.to(torch.uint8).numpy() if dtype == np.uint8 else levels.numpy().astype(dtype)


def resize_pass(
    image: NDArray[Any], out: NDArray[Any], *, threads: int | None = None, progress: Progress | None = None
) -> None:
    """Resize ``image`` to the size of ``out`` by the protocol's bicubic; antialiased where it shrinks.

    Types and channels as in `network_pass`; alpha, the last of 2 or 4 channels, weighs the colours.
    """
    peak = peak_of(image.dtype)
    with_alpha = image.ndim == 3 and image.shape[2] in (2, 4)

    def work(part: Tile) -> None:
        values = resize_part(
            image, out.shape[0], out.shape[1], part, partial(_premultiplied, peak=peak) if with_alpha else _same
        )
        levels = torch.from_numpy(np.ascontiguousarray(values))
        if with_alpha:
            alpha = levels[..., -1:].clamp(0.0, peak)
            levels = torch.cat([unpremultiply(levels[..., :-1], alpha, peak), alpha], dim=-1)
        rounded = _rounded(levels * (peak_of(out.dtype) / peak), out.dtype)
        out[part.top : part.bottom, part.left : part.right] = rounded

    def done(part: Tile) -> None:
        if progress is not None:
            progress((part.bottom - part.top) * (part.right - part.left))

    in_threads(work, tiles(out.shape[0], out.shape[1], _RESIZED_SIDE), threads, done)


def _same(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values


def _premultiplied(values: NDArray[np.float64], peak: float) -> NDArray[np.float64]:
    pixels = torch.from_numpy(values)
    alpha = pixels[..., -1:]
    joined: NDArray[np.float64] = torch.cat([premultiply(pixels[..., :-1], alpha, peak), alpha], dim=-1).numpy()
    return joined
