"""Tests of placements, refined to a fraction of a pixel."""

from __future__ import annotations

import pytest

from srcnn.data.image_set import ImageSet
from srcnn.overlap.alignment import Placement, align
from srcnn.overlap.keypoints import luma


def test_a_refined_placement_is_right_to_a_fraction_of_a_pixel(sample: ImageSet) -> None:
    image = luma(dict(sample.images)["sample/test/astronaut"])[:300, :400]
    # b is a's part from (40, 30) on, as it is: its pixel (0, 0) is a's (40, 30).
    found = align(image, image[30:, 40:], Placement(1.02, 0.985, -43.0, -27.0))
    assert found is not None
    p = found.placement
    assert (p.scale_x, p.scale_y) == pytest.approx((1, 1), abs=2e-3)
    assert (p.shift_x, p.shift_y) == pytest.approx((-40, -30), abs=0.3)
    assert found.similarity > 0.99
