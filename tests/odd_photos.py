"""About seventy odd image files and what the upscaler must make of each: the table that the tests go through.

`python tests/odd_photos.py FOLDER` writes them all, to look at or to run the command over them.
"""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from pictures import photo

__all__ = ["ODD_PHOTOS", "OddPhoto", "path_of", "png16", "write_all"]

HEIGHT, WIDTH = 31, 26


@dataclass(frozen=True)
class OddPhoto:
    """A file and what must come of it.

    Attributes:
        name: of the file, as bytes where it is no text.
        make: returns the content.
        refused: a part of the message if it is refused, else empty.
        dtype, channels: of the decoded photo (1 grey, 2 grey and alpha, 3 RGB, 4 RGBA).
        format: of the result.
        note: a part of what the user is told, or empty.
        size: (width, height) of the decoded photo.
    """

    name: str | bytes
    make: Callable[[], bytes]
    refused: str = ""
    dtype: str = "uint8"
    channels: int = 3
    format: str = "png"
    note: str = ""
    size: tuple[int, int] = (WIDTH, HEIGHT)

    @property
    def label(self) -> str:
        """A name for the test."""
        return os.fsdecode(self.name).encode("ascii", "backslashreplace").decode()


def _rgb() -> NDArray[np.uint8]:
    return photo(HEIGHT, WIDTH)


def _grey() -> NDArray[np.uint8]:
    return photo(HEIGHT, WIDTH, grey=True)


def _disc() -> NDArray[np.uint8]:
    """Alpha of a disc with a soft edge."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    alpha: NDArray[np.uint8] = np.clip(255 * (11 - np.hypot(y - HEIGHT / 2, x - WIDTH / 2)), 0, 255).astype(np.uint8)
    return alpha


def _rgba() -> NDArray[np.uint8]:
    """A white disc on transparent green: fringes would be green or dark."""
    alpha = _disc()
    color = np.where((alpha > 0)[..., None], [255, 255, 255], [0, 255, 0]).astype(np.uint8)
    return np.concatenate([color, alpha[..., None]], axis=2)


def _deep(array: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """16 bits whose low bytes are not those of the high ones."""
    fine = np.random.default_rng(1).integers(0, 256, array.shape)
    return np.asarray(256 * array.astype(np.int64) + fine, dtype=np.uint16)


def _saved(array: NDArray[np.generic] | Image.Image, form: str, **options: object) -> bytes:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(array: NDArray[np.uint16], *, claim: tuple[int, int] | None = None, extra: bytes = b"") -> bytes:
    """A PNG of 16 bits, unfiltered; ``claim`` is a (width, height) that its header states instead of the truth."""
    height, width = array.shape[:2]
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[1 if array.ndim == 2 else array.shape[2]]
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", *(claim or (width, height)), 16, kind, 0, 0, 0)
    body = _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", zlib.compress(raw)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _tiff16(order: str, *, planar: bool = False) -> bytes:
    """An uncompressed TIFF of 16-bit RGB in Intel (II) or Motorola (MM) byte order."""
    deep = _deep(_rgb())
    data = np.moveaxis(deep, 2, 0) if planar else deep
    packed = data.astype("<u2" if order == "II" else ">u2").tobytes()
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=order.encode())
    tags[256], tags[257], tags[258], tags[259], tags[262] = WIDTH, HEIGHT, (16, 16, 16), 1, 2
    tags[277], tags[278], tags[284] = 3, HEIGHT, 2 if planar else 1
    size = len(packed) // 3 if planar else len(packed)
    tags[279] = (size,) * 3 if planar else size
    tags[273] = (0, size, 2 * size) if planar else 0
    tags.tagtype[273] = tags.tagtype[279] = 4
    file = io.BytesIO()
    tags.save(file)
    return file.getvalue() + packed


def _turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274], exif[271] = orientation, "Maker"
    return _saved(_rgb(), "JPEG", quality=98, exif=exif.tobytes())


def _palette(*, transparent: bool = False) -> bytes:
    image = Image.fromarray(_rgb()).quantize(16)
    return _saved(image, "PNG", **({"transparency": 3} if transparent else {}))


def _profiled() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return _saved(
        _rgb(), "JPEG", icc_profile=profile, dpi=(300, 300), xmp=b"<x tiff:Orientation='1' tiff:ImageWidth='26'/>"
    )


def _animated(form: str) -> bytes:
    first, second = Image.fromarray(_rgb()), Image.fromarray(_rgb()[::-1].copy())
    return _saved(first, form, save_all=True, append_images=[second], duration=100)


def _lab() -> bytes:
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.fromarray(_rgb()), transform)
    assert lab is not None
    return _saved(lab, "TIFF")


def _xmp_png() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "<x><tiff:Orientation>6</tiff:Orientation></x>")
    return _saved(_rgb(), "PNG", pnginfo=info)


def _key16() -> bytes:
    """16-bit RGB with one transparent colour, that of the first pixel."""
    deep = _deep(_rgb())
    return png16(deep, extra=_chunk(b"tRNS", struct.pack(">HHH", *deep[0, 0])))


def _dng() -> bytes:
    return _saved(_rgb(), "TIFF", tiffinfo={50706: b"\1\4\0\0"})


def _truncated(form: str) -> bytes:
    whole = _saved(photo(200, 200), form)
    return whole[: len(whole) // 2]


def _wide(width: int, height: int) -> bytes:
    return _saved(np.zeros((height, width), np.uint8), "PNG")


def _broken_exif() -> bytes:
    return _saved(_rgb(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(200)))


NO_IMAGE = "is not an image of a format that can be read"

#: The table.
ODD_PHOTOS = (
    # Kinds of pixels
    OddPhoto("rgb.png", lambda: _saved(_rgb(), "PNG")),
    OddPhoto("grey.png", lambda: _saved(_grey(), "PNG"), channels=1),
    OddPhoto("one-bit.png", lambda: _saved(Image.fromarray(_grey() > 110), "PNG"), channels=1, note="1 bit becomes 8"),
    OddPhoto("rgba.png", lambda: _saved(_rgba(), "PNG"), channels=4),
    OddPhoto("grey-alpha.png", lambda: _saved(np.dstack([_grey(), _disc()]), "PNG"), channels=2),
    OddPhoto("opaque-alpha.png", lambda: _saved(np.dstack([_rgb(), np.full((HEIGHT, WIDTH), 255, np.uint8)]), "PNG"), channels=4),
    OddPhoto("invisible.png", lambda: _saved(np.zeros((HEIGHT, WIDTH, 4), np.uint8), "PNG"), channels=4),
    OddPhoto("palette.png", _palette, note="palette"),
    OddPhoto("palette-clear.png", lambda: _palette(transparent=True), channels=4, note="palette"),
    OddPhoto("grey16.png", lambda: _saved(_deep(_grey()), "PNG"), dtype="uint16", channels=1),
    OddPhoto("grey-alpha16.png", lambda: png16(_deep(np.dstack([_grey(), _disc()]))), dtype="uint16", channels=2),
    OddPhoto("rgb16.png", lambda: png16(_deep(_rgb())), dtype="uint16"),
    OddPhoto("rgba16.png", lambda: png16(_deep(_rgba())), dtype="uint16", channels=4),
    OddPhoto("key16.png", _key16, dtype="uint16", channels=4),
    OddPhoto("rgb16-intel.tif", lambda: _tiff16("II"), dtype="uint16", format="tiff"),
    OddPhoto("rgb16-motorola.tif", lambda: _tiff16("MM"), dtype="uint16", format="tiff"),
    OddPhoto("rgb16-planar.tif", lambda: _tiff16("II", planar=True), refused="planar configuration 1"),
    OddPhoto("grey16.tif", lambda: _saved(_deep(_grey()), "TIFF"), dtype="uint16", channels=1, format="tiff"),
    OddPhoto("deep-map.pgm", lambda: _saved(_deep(_grey()), "PPM"), dtype="uint16", channels=1),
    OddPhoto("grey32.tif", lambda: _saved(_deep(_grey()).astype(np.int32) * 300, "TIFF"), refused="from 0 to 65535"),
    OddPhoto("float.tif", lambda: _saved(_grey().astype(np.float32) / 255, "TIFF"), refused="floating-point"),
    OddPhoto("cmyk.jpg", lambda: _saved(Image.fromarray(_rgb()).convert("CMYK"), "JPEG"), format="jpeg", note="CMYK"),
    OddPhoto("cmyk.tif", lambda: _saved(Image.fromarray(_rgb()).convert("CMYK"), "TIFF"), format="tiff", note="CMYK"),
    OddPhoto("ycbcr.tif", lambda: _saved(Image.fromarray(_rgb()).convert("YCbCr"), "TIFF"), format="tiff", note="YCbCr"),
    OddPhoto("lab.tif", _lab, format="tiff", note="LAB was converted to sRGB"),
    # Formats
    OddPhoto("photo.jpg", lambda: _saved(_rgb(), "JPEG"), format="jpeg"),
    OddPhoto("progressive.jpeg", lambda: _saved(_rgb(), "JPEG", progressive=True), format="jpeg"),
    OddPhoto("grey.jpg", lambda: _saved(_grey(), "JPEG"), channels=1, format="jpeg"),
    OddPhoto("photo.webp", lambda: _saved(_rgb(), "WEBP"), format="webp"),
    OddPhoto("clear.webp", lambda: _saved(_rgba(), "WEBP", lossless=True), channels=4, format="webp"),
    OddPhoto("bitmap.bmp", lambda: _saved(_rgb(), "BMP")),
    OddPhoto("still.gif", lambda: _saved(_rgb(), "GIF"), note="palette"),
    OddPhoto("wavelet.jp2", lambda: _saved(_rgb(), "JPEG2000")),
    OddPhoto("portable.ppm", lambda: _saved(_rgb(), "PPM")),
    OddPhoto("lzw.tif", lambda: _saved(_rgb(), "TIFF", compression="tiff_lzw"), format="tiff"),
    OddPhoto("capitals.PNG", lambda: _saved(_rgb(), "PNG")),
    # What a file says besides
    *(OddPhoto(f"turned-{n}.jpg", partial(_turned, n), format="jpeg", size=(WIDTH, HEIGHT) if n < 5 else (HEIGHT, WIDTH))
      for n in range(1, 9)),
    OddPhoto("turned-by-xmp.png", _xmp_png, size=(HEIGHT, WIDTH)),
    OddPhoto("profile.jpg", _profiled, format="jpeg"),
    OddPhoto("broken-profile.png", lambda: _saved(_rgb(), "PNG", icc_profile=b"no profile" * 20), note="profile"),
    OddPhoto("broken-exif.jpg", _broken_exif, format="jpeg"),
    # Several pictures
    OddPhoto("animated.gif", lambda: _animated("GIF"), refused="has 2 frames, it is animated; --first-page"),
    OddPhoto("animated.png", lambda: _animated("PNG"), refused="has 2 frames"),
    OddPhoto("animated.webp", lambda: _animated("WEBP"), refused="has 2 frames"),
    OddPhoto("pages.tif", lambda: _animated("TIFF"), refused="has 2 pages; --first-page"),
    OddPhoto("camera.mpo.jpg", lambda: _animated("MPO"), format="jpeg", note="more than one picture"),
    # Sizes
    OddPhoto("1x1.png", lambda: _saved(_rgb()[:1, :1].copy(), "PNG"), size=(1, 1)),
    OddPhoto("1x1-clear.png", lambda: _saved(_rgba()[:1, :1].copy(), "PNG"), channels=4, size=(1, 1)),
    OddPhoto("300x1.png", lambda: _wide(300, 1), channels=1, size=(300, 1)),
    OddPhoto("1x300.png", lambda: _wide(1, 300), channels=1, size=(1, 300)),
    OddPhoto("bomb.png", lambda: png16(_deep(_rgb()), claim=(60_000, 60_000)), refused="more than --max-pixels"),
    OddPhoto("empty-claim.png", lambda: png16(_deep(_rgb()), claim=(0, 0)), refused=NO_IMAGE),
    # Names that lie, damage, and no photos
    OddPhoto("really-a-png.jpg", lambda: _saved(_rgb(), "PNG"), note="is PNG by its content"),
    OddPhoto("really-a-jpeg", lambda: _saved(_rgb(), "JPEG"), format="jpeg", note="is JPEG by its content"),
    OddPhoto("truncated.jpg", lambda: _truncated("JPEG"), refused="cannot be decoded"),
    OddPhoto("truncated.png", lambda: _truncated("PNG"), refused="cannot be decoded"),
    OddPhoto("truncated.tif", lambda: _truncated("TIFF"), refused="cannot be decoded"),
    OddPhoto("truncated.webp", lambda: _truncated("WEBP"), refused="truncated.webp"),
    OddPhoto("text.png", lambda: b"This is no picture.\n" * 20, refused=NO_IMAGE),
    OddPhoto("empty.jpg", bytes, refused="is empty"),
    OddPhoto("phone.heic", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", refused="HEIC"),
    OddPhoto("camera.dng", _dng, refused="raw file"),
    OddPhoto("drawing.svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", refused=NO_IMAGE),
    OddPhoto(b"not-utf8-\xff\xfe.png", lambda: _saved(_rgb(), "PNG")),
    OddPhoto("new\nline\x1b[31m.png", lambda: _saved(_rgb(), "PNG")),
    OddPhoto("日本 – ü.png", lambda: _saved(_rgb(), "PNG")),
)  # fmt: skip


def path_of(odd: OddPhoto, folder: Path) -> Path:
    """Where an odd photo lies below a folder."""
    return folder / os.fsdecode(odd.name)


def write_all(folder: Path) -> None:
    """Write every odd photo below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for odd in ODD_PHOTOS:
        path_of(odd, folder).write_bytes(odd.make())


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
