"""What a network sees: planes, modcrop, bicubic."""

from __future__ import annotations

import numpy as np
import pytest

from srcnn.errors import DataError
from srcnn.evaluation.degradation import degrade, planes
from srcnn.evaluation.protocol import evaluate

from pictures import photo


def test_planes() -> None:
    rgb, grey = photo(), photo(grey=True)
    np.testing.assert_array_equal(planes(rgb, "rgb"), rgb)
    np.testing.assert_array_equal(planes(grey, "y")[:, :, 0], grey)
    np.testing.assert_array_equal(planes(grey, "rgb"), np.stack([grey] * 3, axis=2))
    assert (planes(grey, "ycbcr")[:, :, 1:] == 128).all()
    np.testing.assert_array_equal(planes(rgb, "y"), planes(rgb, "ycbcr")[:, :, :1])


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("color", "channels"), [("y", 1), ("ycbcr", 3), ("rgb", 3)])
def test_degrade(scale: int, color: str, channels: int) -> None:
    image = photo()
    ready = degrade(image, scale, color=color, name="photo")
    rows, columns = 31 // scale, 26 // scale
    assert ready.small.shape == (rows, columns, channels)
    assert ready.bicubic.shape == ready.target.shape == (rows * scale, columns * scale, channels)
    assert {a.dtype for a in (ready.small, ready.bicubic, ready.target)} == {np.dtype(np.float32)}
    assert (ready.name, ready.scale) == ("photo", scale)
    original = planes(image, color)[: rows * scale, : columns * scale]
    np.testing.assert_array_equal(np.rint(ready.target * 255), original)
    levels = ready.small * 255
    assert np.abs(levels - np.rint(levels)).max() > 0.1  # nothing is rounded on the way


@pytest.mark.parametrize("shape", [(2, 40, 3), (40, 2)])
def test_an_image_smaller_than_the_scale_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=rf"tiny: {shape[1]}x{shape[0]} pixels are too few for scale 3"):
        evaluate(None, [("tiny", np.zeros(shape, dtype=np.uint8))], 3)


def test_an_image_that_is_not_of_bytes_is_refused() -> None:
    """Values in [0, 1] would be divided by 255 and NaN be accepted."""
    with pytest.raises(DataError, match=r"photo: must have 8-bit values \(uint8\), but got float64"):
        degrade(np.full((9, 9), np.nan), 3, name="photo")
