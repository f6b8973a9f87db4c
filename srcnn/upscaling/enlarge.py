"""Enlarging a photo to any size: `upscale` for an array or a Pillow image, `enlarge_image` for large photos and result arrays.

A factor is reached by passes of networks whose scales multiply to it, 6 = 3 x 2 and 8 = 4 x 2, or to the next product above it;
what is too much is taken off by bicubic resizing, antialiased. Between passes there are 16 bits a channel.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import ConfigError
from srcnn.model.network import SRCNN
from srcnn.upscaling.network_pass import network_pass, resize_pass
from srcnn.upscaling.precision import PRECISIONS, prepared

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MAX_PIXELS", "Networks", "empty_image", "enlarge_image", "passes", "result_size", "upscale"]

#: A result has at most this many pixels unless the caller says more.
MAX_PIXELS = 2_000_000_000

#: What enlarges: one network for every pass; a function from a scale to a network; ``bicubic`` for none; None for the champions.
Networks = SRCNN | Callable[[int], SRCNN | None] | Literal["bicubic"] | None

Progress = Callable[[int, int], None]
_Image = TypeVar("_Image", bound="Image")

_SCALES = (2, 3, 4)
_TYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))
_MODES = ("L", "LA", "RGB", "RGBA", "I;16")
_IN_MEMORY = 1 << 28  # bytes of an image between two passes, above which it lies in a temporary file


@overload
def upscale(
    image: NDArray[Any],
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    network: Networks = None,
    precision: str = "auto",
    threads: int | None = None,
    tile: int | None = None,
    progress: Progress | None = None,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[Any]: ...
@overload
def upscale(
    image: _Image,
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    network: Networks = None,
    precision: str = "auto",
    threads: int | None = None,
    tile: int | None = None,
    progress: Progress | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Image: ...
def upscale(
    image: Any,
    scale: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    network: Networks = None,
    precision: str = "auto",
    threads: int | None = None,
    tile: int | None = None,
    progress: Progress | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Any:
    """Enlarge an image: Y by a network, Cb and Cr by the protocol's bicubic.

    Args:
        image: an array (height, width) or (height, width, channels), uint8, uint16 or float32 in [0, 1]: grey, RGB, or either
            with alpha as the last of 2 or 4 channels. Or a Pillow image of mode L, LA, RGB, RGBA or I;16.
        scale: any factor above 0, also 6 or 2.5. Below 1 the image shrinks, by bicubic.
        size: (width, height) of the result instead of a scale.
        network: a network for every pass; a function that returns the network of a scale, 2, 3 or 4; ``"bicubic"`` for bicubic
            resizing; None: the champions of this package.
        precision: ``auto``: bf16 where the processor has it and the network's PSNR stays within 0.005 dB; ``fp32`` or ``bf16``.
        threads: None: as many as torch uses. The result does not depend on it.
        tile: rows of a tile; None: a fast number. The result does not depend on it.
        progress: called with the finished and all steps, see `enlarge_image`.
        max_pixels: largest result.

    Returns:
        the same type, dtype, channels and mode. Integers are rounded, and all is clipped to the range.

    Raises:
        ConfigError: a parameter breaks a rule, or the image is of another kind.
    """
    options: dict[str, Any] = {"scale": scale, "size": size, "network": network, "precision": precision}
    options |= {"threads": threads, "tile": tile, "progress": progress, "max_pixels": max_pixels}
    if isinstance(image, np.ndarray):
        return enlarge_image(image, **options)
    from PIL import Image

    if not isinstance(image, Image.Image):
        raise ConfigError(f"image: must be a NumPy array or a Pillow image, but got {type(image).__name__}")
    if image.mode not in _MODES:
        raise ConfigError(f"image: the mode must be one of {', '.join(_MODES)}, but got {image.mode}")
    return Image.fromarray(enlarge_image(np.asarray(image), **options))


def enlarge_image(
    image: NDArray[Any],
    out: NDArray[Any] | None = None,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    network: Networks = None,
    precision: str = "auto",
    threads: int | None = None,
    tile: int | None = None,
    progress: Progress | None = None,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[Any]:
    """Enlarge an array into another, tile by tile: beside the two a few megabytes for each thread.

    Parameters as for `upscale`, and:

    Args:
        image: array or memory map.
        out: array or memory map of the size that `result_size` returns, with the dtype and channels of the image; it is filled
            from top to bottom. None: a new array.
        progress: called in this thread after every tile with the pixels finished and those of all passes together.

    Returns:
        ``out``.
    """
    _check_image(image)
    if precision not in PRECISIONS:
        raise ConfigError(f"precision: must be one of {', '.join(PRECISIONS)}, but got {precision!r}")
    for name, value in (("threads", threads), ("tile", tile)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ConfigError(f"{name}: must be an integer of at least 1, but got {value!r}")
    width, height = result_size(image.shape[1], image.shape[0], scale=scale, size=size, max_pixels=max_pixels)
    shape = (height, width, *image.shape[2:])
    if out is None:
        out = np.empty(shape, image.dtype)
    elif out.shape != shape or out.dtype != image.dtype:
        raise ConfigError(f"out: must be {image.dtype} of shape {shape}, but got {out.dtype} of shape {out.shape}")
    networks = _networks_of_passes(image, width, height, network)
    sizes = _sizes_of_passes(image, width, height, [n.config.scale for n in networks])
    report = _report(progress, sum(wide * high for wide, high in sizes))
    now = image
    for i, (wide, high) in enumerate(sizes):
        target = out if i == len(sizes) - 1 else _between(image, wide, high)
        if i < len(networks):
            layers = prepared(networks[i], precision)
            network_pass(now, target, layers, threads=threads, tile=tile, progress=report)
        else:
            resize_pass(now, target, threads=threads, progress=report)
        now = target
    return out


def result_size(
    width: int,
    height: int,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[int, int]:
    """Return (width, height) of the result for an image of this width and height; sides are rounded, and at least 1.

    Raises:
        ConfigError: both or neither of scale and size are given, one is out of range, or the result has more than ``max_pixels``.
    """
    if (scale is None) == (size is None):
        raise ConfigError(f"scale, size: one of them must be given, but got scale {scale} and size {size}")
    if size is not None:
        if len(size) != 2 or not all(isinstance(side, int) and side >= 1 for side in size):
            raise ConfigError(f"size: must be two integers of at least 1, width and height, but got {size}")
        wide, high = size
    else:
        if not isinstance(scale, int | float) or not math.isfinite(scale) or not 0 < scale <= 1000:
            raise ConfigError(f"scale: must be above 0 and at most 1000, but got {scale}")
        wide, high = (max(1, math.floor(side * scale + 0.5)) for side in (width, height))
    if wide * high > max_pixels:
        raise ConfigError(
            f"max_pixels: the result may have {max_pixels:,} pixels, but {wide}x{high} are {wide * high:,}"
        )
    return wide, high


def _check_image(image: NDArray[Any]) -> None:
    if image.dtype not in _TYPES:
        raise ConfigError(f"image: dtype must be uint8, uint16 or float32, but got {image.dtype}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 2, 3, 4)):
        raise ConfigError(f"image: shape must be (height, width) or (height, width, 1 to 4), but got {image.shape}")
    if image.size == 0:
        raise ConfigError(f"image: must not be empty, but got shape {image.shape}")


def _networks_of_passes(image: NDArray[Any], width: int, height: int, network: Networks) -> list[SRCNN]:
    """The networks to apply one after the other; none where nothing grows."""
    factor = max(width / image.shape[1], height / image.shape[0])
    if network == "bicubic" or factor <= 1:
        return []
    if isinstance(network, SRCNN):
        # 1e-9: a factor such as 9 must not need a third pass because its logarithm is not exact.
        return [network] * math.ceil(math.log(factor, network.config.scale) - 1e-9)
    if network is None:
        from srcnn.champions import load_champion

        network = load_champion
    found = []
    for scale in passes(factor):
        chosen = network(scale)
        if chosen is None:
            return []
        if chosen.config.scale != scale:
            raise ConfigError(f"network: must enlarge by {scale}, but enlarges by {chosen.config.scale}")
        found.append(chosen)
    return found


def passes(factor: float) -> tuple[int, ...]:
    """Return the scales of the passes, largest first, with the smallest product that reaches the factor; of these the fewest.

    >>> passes(6), passes(8), passes(2.5), passes(1)
    ((3, 2), (4, 2), (3,), ())
    """
    if factor <= 1:
        return ()
    most = math.ceil(math.log2(factor))
    ways = (way for count in range(1, most + 1) for way in combinations_with_replacement(_SCALES[::-1], count))
    return min((way for way in ways if math.prod(way) >= factor), key=lambda way: (math.prod(way), len(way)))


def _sizes_of_passes(image: NDArray[Any], width: int, height: int, scales: list[int]) -> list[tuple[int, int]]:
    """(width, height) after each pass, and after the resizing if that is needed."""
    sizes = []
    high, wide = image.shape[:2]
    for scale in scales:
        wide, high = wide * scale, high * scale
        sizes.append((wide, high))
    return sizes if sizes and sizes[-1] == (width, height) else [*sizes, (width, height)]


def _between(image: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """An array for the image between two passes."""
    dtype = np.dtype(np.uint16) if image.dtype.kind == "u" else image.dtype
    return empty_image((height, width, *image.shape[2:]), dtype, _IN_MEMORY)


def empty_image(shape: tuple[int, ...], dtype: np.dtype[Any], in_memory: int = 1 << 30) -> NDArray[Any]:
    """Return an array to be filled, of more than ``in_memory`` bytes in a temporary file without a name.

    The system writes parts of such an array to the disk where memory is short. If the disk has no room, it is in memory.
    """
    size = math.prod(shape) * dtype.itemsize
    if size <= in_memory or not hasattr(os, "posix_fallocate"):
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:  # the map keeps it
        try:
            os.posix_fallocate(file.fileno(), 0, size)  # writing to a map on a full disk would end the process
        except OSError:
            return np.empty(shape, dtype)
        return np.memmap(file, dtype, "r+", shape=shape)


def _report(progress: Progress | None, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    done = 0

    def report(pixels: int) -> None:
        nonlocal done
        done += pixels
        progress(done, total)

    return report
