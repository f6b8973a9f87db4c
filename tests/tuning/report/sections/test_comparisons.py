"""Crops stand in the order of the scales, with the PSNR of each method; too many are left out."""

from __future__ import annotations

import pytest

from srcnn.tuning.report.data.crop_pictures import CropPicture
from srcnn.tuning.report.document.document import Comparison, Text
from srcnn.tuning.report.sections import comparisons as module
from srcnn.tuning.report.sections.comparisons import comparisons

from report_parts import picture, search_data


def crop(image: str) -> CropPicture:
    files = {kind: picture(shade) for shade, kind in enumerate(("original", "bicubic", "champion"))}
    return CropPicture(image, 4, 3, {"bicubic": 30.0, "champion": 31.234}, files)


def test_crops_of_every_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {3: (crop("baby"), crop("bird")), 2: (crop("baby"),)}
    intro, *parts = comparisons(search_data([], pictures=pictures))
    assert isinstance(intro, Text) and "arrow keys" in intro.markdown
    found = [part for part in parts if isinstance(part, Comparison)]
    assert [part.name for part in found] == ["crop-x2-1", "crop-x3-1", "crop-x3-2"]
    assert [shot.label for shot in found[0].shots.values()] == ["original", "bicubic, 30.00 dB", "champion, 31.23 dB"]
    assert (found[0].left, found[0].right) == ("bicubic", "champion")
    monkeypatch.setattr(module, "_MOST_BYTES", 10)
    *parts, rest = comparisons(search_data([], pictures=pictures))
    assert [part.name for part in parts if isinstance(part, Comparison)] == ["crop-x2-1", "crop-x3-1"]
    assert isinstance(rest, Text) and rest.markdown.startswith("1 more")


def test_an_older_search_has_none() -> None:
    assert comparisons(search_data([])) == ()
