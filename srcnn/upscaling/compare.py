"""A picture that shows what the network did: bicubic on the left, the result on the right, and a part of both magnified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from srcnn.errors import DataError
from srcnn.system.atomic_file import atomic_write
from srcnn.system.printable import printable
from srcnn.upscaling.enlarge import upscale

__all__ = ["comparison", "write_comparison"]

Pixels = NDArray[Any]  #: uint8 or uint16

_SIDE = 512  #: pixels of the result that are shown on each side, at most
_MAGNIFIED = 4  #: how many times larger the small part is shown
_MARGIN = 8
_LABEL = 26
_CONTEXT = 4  #: pixels of the photo that a bicubic pixel depends on
_SQUARE = 12  #: of the pattern below transparent pixels


def _visible(pixels: Pixels) -> NDArray[np.uint8]:
    """Return 8-bit RGB; transparent pixels lie over a chessboard."""
    small = pixels if pixels.dtype == np.uint8 else (pixels.astype(np.uint32) + 128) // 257
    values: NDArray[Any] = small.reshape(*small.shape[:2], -1).astype(np.float32)
    if values.shape[2] in (2, 4):
        y, x = np.ogrid[: values.shape[0], : values.shape[1]]
        board = np.where((y // _SQUARE + x // _SQUARE) % 2, 150.0, 200.0).astype(np.float32)[..., None]
        alpha = values[..., -1:] / 255
        values = values[..., :-1] * alpha + board * (1 - alpha)
    if values.shape[2] == 1:
        values = np.repeat(values, 3, axis=2)
    shown: NDArray[np.uint8] = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return shown


def _busiest(plane: NDArray[np.float32], height: int, width: int) -> tuple[int, int]:
    """Return (top, left) of the window with the largest sum."""
    sums = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1))
    sums[1:, 1:] = plane.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    window = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(int(window.argmax()), window.shape)
    return int(top), int(left)


def _detail(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how much each pixel differs from its neighbours."""
    grey = picture.astype(np.float32).mean(axis=2)
    detail: NDArray[np.float32] = np.zeros(grey.shape, np.float32)
    detail[:, 1:] += np.abs(np.diff(grey, axis=1))
    detail[1:] += np.abs(np.diff(grey, axis=0))
    return detail


def _part(photo: Pixels, result: Pixels) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the part with most detail of the photo enlarged by bicubic, and of the result, both 8-bit RGB."""
    tall, wide = result.shape[0] / photo.shape[0], result.shape[1] / photo.shape[1]
    rows = min(photo.shape[0], max(1, int(_SIDE / tall)))
    columns = min(photo.shape[1], max(1, int(_SIDE / wide)))
    step = max(1, max(photo.shape[:2]) // 1500)  # a large photo is searched on every n-th pixel
    thin = _visible(np.ascontiguousarray(photo[::step, ::step]))
    top, left = (step * at for at in _busiest(_detail(thin), max(1, rows // step), max(1, columns // step)))
    top, left = min(top, photo.shape[0] - rows), min(left, photo.shape[1] - columns)
    if tall != int(tall) or wide != int(wide):  # the pixels of a part do not lie as those of the whole
        whole = upscale(photo, size=(result.shape[1], result.shape[0]), network="bicubic")
        y, x, h, w = int(top * tall), int(left * wide), max(1, int(rows * tall)), max(1, int(columns * wide))
        return _visible(whole[y : y + h, x : x + w]), _visible(result[y : y + h, x : x + w])
    s, t = int(tall), int(wide)
    above, before = max(0, top - _CONTEXT), max(0, left - _CONTEXT)
    around = photo[above : top + rows + _CONTEXT, before : left + columns + _CONTEXT]
    large = upscale(around, size=(around.shape[1] * t, around.shape[0] * s), network="bicubic")
    y, x = (top - above) * s, (left - before) * t
    bicubic = large[y : y + rows * s, x : x + columns * t]
    return _visible(bicubic), _visible(result[top * s : (top + rows) * s, left * t : (left + columns) * t])


def comparison(photo: Pixels, result: Pixels, label: str) -> NDArray[np.uint8]:
    """Return the picture, uint8 RGB.

    Above: at most 512x512 pixels of the result where the photo has most detail, bicubic beside it. Below: a quarter of
    their width and height, where both differ most, four times larger.

    Args:
        photo: pixels as in `srcnn.upscaling.photo_reading`.
        result: the photo enlarged.
        label: of the result, such as the network's name.
    """
    left, right = _part(photo, result)
    height, width = left.shape[:2]
    h, w = max(1, height // _MAGNIFIED), max(1, width // _MAGNIFIED)
    difference = np.abs(left.astype(np.float32) - right.astype(np.float32)).mean(axis=2)
    top, start = _busiest(difference, h, w)
    box = max(width, w * _MAGNIFIED, 60)
    full = Image.new("RGB", (2 * box + 3 * _MARGIN, 2 * _LABEL + height + h * _MAGNIFIED + 2 * _MARGIN), "white")
    draw = ImageDraw.Draw(full)
    font = ImageFont.load_default(14)
    for column, (text, picture) in enumerate((("bicubic", left), (label, right))):
        x = _MARGIN + column * (box + _MARGIN)
        draw.text((x, 5), text, "black", font)
        shown = Image.fromarray(picture)
        small = shown.crop((start, top, start + w, top + h))
        full.paste(shown, (x, _LABEL))
        frame = (x + start - 1, _LABEL + top - 1, x + start + w, _LABEL + top + h)
        draw.rectangle(frame, outline="red")
        y = _LABEL + height + _MARGIN
        draw.text((x, y), f"marked part, {_MAGNIFIED} times larger", "black", font)
        full.paste(small.resize((w * _MAGNIFIED, h * _MAGNIFIED), Image.Resampling.NEAREST), (x, y + _LABEL))
    return np.asarray(full)


def write_comparison(path: Path, photo: Pixels, result: Pixels, label: str) -> None:
    """Write the picture of `comparison` as a PNG file.

    Raises:
        DataError: it cannot be written.
    """
    try:
        with atomic_write(path) as temporary:
            Image.fromarray(comparison(photo, result, label)).save(temporary, "PNG")
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be written ({printable(str(error))})") from error
