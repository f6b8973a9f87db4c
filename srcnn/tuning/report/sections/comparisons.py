"""Crops of test images by bicubic, the paper's network and the champion, to look at."""

from __future__ import annotations

from srcnn.tuning.report.data.crop_pictures import CropPicture
from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.report.document.document import Comparison, Part, Shot, Text

__all__ = ["comparisons"]

_LABELS = {
    "original": "original",
    "bicubic": "bicubic",
    "reference": "the paper's network",
    "champion": "champion",
}
_MOST_BYTES = 700_000  # of all pictures, so that the page stays small; the first image of a scale is always shown


def comparisons(data: SearchData) -> tuple[Part, ...]:
    """Return the section's parts; none if the search kept no pictures."""
    parts: list[Part] = []
    size, left_out = 0, 0
    for place in range(max(map(len, data.pictures.values()), default=0)):
        for scale, pictures in sorted(data.pictures.items()):
            if place >= len(pictures):
                continue
            picture = pictures[place]
            size += sum(map(len, picture.files.values()))
            if place and size > _MOST_BYTES:
                left_out += 1
                continue
            parts.append(_comparison(scale, place + 1, picture))
    if not parts:
        return ()
    parts.sort(key=lambda part: part.name if isinstance(part, Comparison) else "")
    parts.insert(0, Text("Move the slider with the mouse or the arrow keys; both sides can be chosen below it."))
    if left_out:
        parts.append(Text(f"{left_out} more pictures are among the artifacts of the run."))
    return tuple(parts)


def _comparison(scale: int, number: int, picture: CropPicture) -> Comparison:
    shots = {}
    for kind, png in picture.files.items():
        psnr = picture.psnr.get(kind)
        shots[kind] = Shot(_LABELS[kind] + ("" if psnr is None else f", {psnr:.2f} dB"), png)
    caption = (
        f"{picture.image} at x{scale}: {picture.width}x{picture.height} pixels of the image, each shown as a square, where "
        "champion and bicubic differ most; the PSNR is of the whole image. One image proves nothing: the tables have all."
    )
    return Comparison(
        f"crop-x{scale}-{number}",
        shots,
        caption,
        f"Part of {picture.image} at x{scale}:",
        picture.width,
        "bicubic",
        "champion",
    )
