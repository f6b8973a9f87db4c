"""Files with 16 bits for each of several channels (PNG and TIFF), which Pillow reads and writes with 8 bits only.

Reading: Pillow's decoders take a *raw mode*, which says where in the file's pixels each byte of the image lies.
``RGB;16B`` takes the first byte of each sample and ``RGB;16L`` the second. Decoding the file once with each gives all
16 bits, with Pillow's checks, compressions, tiles and interlacing.

Writing: PNG chunks and TIFF strips by hand, compressed with zlib, a few rows at a time.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from srcnn.errors import DataError

__all__ = ["is_deep", "is_planar", "read_deep", "write_png", "write_tiff"]

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

#: Bytes of rows that are filtered and compressed at once.
_STRIP = 1 << 21

#: zlib's effort: on enlarged photos 3 is three times as fast as the usual 6, for a tenth more bytes.
_EFFORT = 3

_LARGEST_TIFF = (1 << 32) - (1 << 24)

#: Number of channels -> PNG's colour type.
_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}


def _raw_mode(image: Image.Image) -> str:
    """Return the raw mode of an opened image that was not decoded yet; empty if there is none."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    arguments = tiles[0].args
    raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return raw if isinstance(raw, str) else ""


def is_deep(image: Image.Image) -> bool:
    """Return whether an opened, not yet decoded PNG or TIFF has several channels of 16 bits each."""
    raw = _raw_mode(image)
    return image.format in ("PNG", "TIFF") and ";16" in raw and not raw.startswith("I;")


def is_planar(image: Image.Image) -> bool:
    """Return whether an opened TIFF stores its channels one after the other with 16 bits each, which Pillow misreads."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (8,))
    return (
        image.format == "TIFF"
        and tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2
        and len(bits) > 1
        and max(bits) > 8
    )


def _decode(opened: Image.Image, raw: str) -> NDArray[np.uint8]:
    """Decode with another raw mode; uint8 (height, width, 3 or 4)."""
    opened._mode = raw.partition(";")[0]  # the same memory layout as the mode that Pillow chose
    changed: list[Any] = []
    for tile in opened.tile:  # type: ignore[attr-defined]
        arguments = (raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw
        changed.append(tile._replace(args=arguments))
    opened.tile = changed  # type: ignore[attr-defined]
    opened.load()
    return np.asarray(opened)


def read_deep(reopen: Callable[[], Image.Image]) -> tuple[NDArray[np.uint16], Image.Image]:
    """Decode a file for which `is_deep` is true.

    Args:
        reopen: opens the file anew; called twice.

    Returns:
        ``(pixels, image)``: uint16 (height, width, channels), of 2 (grey and alpha), 3 or 4 channels, alpha last and not
        multiplied into the colour; and Pillow's decoded image, for its metadata.

    Raises:
        OSError, SyntaxError, ValueError: as Pillow raises them for a damaged file.
    """
    first = reopen()
    raw = _raw_mode(first)
    colours, _, order = raw.partition(";")
    if colours == "LA":  # four bytes a pixel, taken as they are
        four = _decode(first, "RGBA").astype(np.uint16)
        return np.stack([four[..., 0] << 8 | four[..., 1], four[..., 2] << 8 | four[..., 3]], axis=2), first
    channels = "RGB" if colours == "RGB" else "RGBA"
    first_is_high = order == "16B" or (order == "16N" and sys.byteorder == "big")
    leading = _decode(first, f"{channels};16B").astype(np.uint16)
    second = reopen()
    trailing = _decode(second, f"{channels};16L").astype(np.uint16)
    second.close()
    high, low = (leading, trailing) if first_is_high else (trailing, leading)
    deep: NDArray[np.uint16] = np.bitwise_or(np.left_shift(high, 8), low).astype(np.uint16, copy=False)
    if colours == "RGBX":
        deep = np.ascontiguousarray(deep[..., :3])
    if colours == "RGBa":  # the file holds colour times alpha
        alpha = np.maximum(deep[..., 3:].astype(np.float64), 1)
        colour = np.minimum(np.rint(deep[..., :3] * (65535.0 / alpha)), 65535)
        deep = np.concatenate([colour.astype(np.uint16), deep[..., 3:]], axis=2)
    return deep, first


def _strips(pixels: Pixels) -> Iterator[Pixels]:
    """Yield groups of rows, (rows, width, channels)."""
    full = pixels if pixels.ndim == 3 else pixels[:, :, None]
    rows = max(1, _STRIP // max(1, full[0].nbytes))
    for top in range(0, len(full), rows):
        yield full[top : top + rows]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(rows: NDArray[np.uint8], above: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Apply PNG's Up or Paeth filter to each row, whichever leaves the smaller sum; a byte that names it goes first.

    rows: (rows, bytes); above: the row before them; step: bytes a pixel.
    """
    b = np.concatenate([above[None], rows[:-1]])
    a = np.zeros_like(rows)
    a[:, step:] = rows[:, :-step]
    c = np.zeros_like(rows)
    c[:, step:] = b[:, :-step]
    wide_a, wide_b, wide_c = a.astype(np.int16), b.astype(np.int16), c.astype(np.int16)
    from_a, from_b = np.abs(wide_b - wide_c), np.abs(wide_a - wide_c)
    from_c = np.abs(wide_a + wide_b - 2 * wide_c)
    nearest = np.where((from_a <= from_b) & (from_a <= from_c), a, np.where(from_b <= from_c, b, c))
    up, paeth = rows - b, rows - nearest
    cost = [np.abs(f.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64) for f in (up, paeth)]
    out = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    chosen = cost[1] < cost[0]
    out[:, 0] = np.where(chosen, 4, 2)
    out[:, 1:] = np.where(chosen[:, None], paeth, up)
    return out


def write_png(
    file: IO[bytes],
    pixels: Pixels,
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> None:
    """Write a PNG file with the depth of the array.

    Args:
        file: opened for writing.
        pixels: uint8 or uint16; (height, width) grey, or (height, width, channels): 2 grey and alpha, 3 RGB, 4 RGBA.
        icc, exif, xmp: embedded as they are; EXIF begins with its TIFF header.
        dpi: dots an inch, horizontal and vertical.
    """
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    depth = pixels.dtype.itemsize
    file.write(b"\x89PNG\r\n\x1a\n")
    file.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * depth, _COLOUR_TYPE[channels], 0, 0, 0)))
    if icc:
        file.write(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if dpi:
        file.write(_chunk(b"pHYs", struct.pack(">IIB", *(round(d / 0.0254) for d in dpi), 1)))
    if xmp:
        file.write(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    if exif:
        file.write(_chunk(b"eXIf", exif))
    packer = zlib.compressobj(_EFFORT, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    above = np.zeros(width * channels * depth, np.uint8)
    for strip in _strips(pixels):
        ordered = np.ascontiguousarray(strip.astype(strip.dtype.newbyteorder(">"), copy=False))
        rows = ordered.view(np.uint8).reshape(len(strip), -1)
        packed = packer.compress(_filtered(rows, above, channels * depth).tobytes())
        if packed:
            file.write(_chunk(b"IDAT", packed))
        above = rows[-1]
    file.write(_chunk(b"IDAT", packer.flush()))
    file.write(_chunk(b"IEND", b""))


def write_tiff(
    file: IO[bytes],
    pixels: Pixels,
    *,
    icc: bytes | None = None,
    exif: Image.Exif | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> None:
    """Write a TIFF file with the depth of the array, deflated with horizontal differences.

    Args:
        file: opened for writing and seekable.
        pixels: as for `write_png`. Alpha is not multiplied into the colour.
        icc, xmp: embedded as they are.
        exif: its tags and sub-directories become those of the file.
        dpi: dots an inch, horizontal and vertical.

    Raises:
        DataError: the file would exceed 4 GiB.
    """
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    strips: list[bytes] = []
    rows = 0
    for part in _strips(pixels):
        rows = rows or len(part)
        ordered = np.array(part, dtype=part.dtype.newbyteorder("<"))
        ordered[:, 1:] = part[:, 1:] - part[:, :-1]  # unsigned: it wraps, and is added up in the same way
        strips.append(zlib.compress(ordered.tobytes(), _EFFORT))
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    for key, value in () if exif is None else exif.items():
        tags[key] = value  # a sub-directory is a dictionary
    tags[256], tags[257] = width, height
    tags[258] = (8 * pixels.dtype.itemsize,) * channels
    tags[259] = 8  # deflate
    tags[262] = 2 if channels > 2 else 1  # RGB, or grey with 0 as black
    tags[277] = channels
    tags[278] = rows
    tags[284] = 1  # channels interleaved
    tags[317] = 2  # horizontal differences
    if channels in (2, 4):
        tags[338] = 2  # the last channel is alpha, not multiplied into the colour
    if dpi:
        tags[282], tags[283], tags[296] = dpi[0], dpi[1], 2
    if icc:
        tags[34675] = icc
    if xmp:
        tags[700] = xmp
    sizes = [len(strip) for strip in strips]
    tags[279] = sizes if len(sizes) > 1 else sizes[0]
    offsets = [0, *accumulate(sizes[:-1])]  # from the first strip; save adds where that one lies
    tags[273] = offsets if len(offsets) > 1 else offsets[0]
    tags.tagtype[273] = tags.tagtype[279] = 4  # 32 bits
    if sum(sizes) > _LARGEST_TIFF:
        raise DataError(
            f"a TIFF file must be smaller than 4 GiB, but got {sum(sizes) / 2**30:.1f} GiB; PNG has no such limit"
        )
    tags.save(file)
    for strip in strips:
        file.write(strip)
