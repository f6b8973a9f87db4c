"""Tests of features and where they lie."""

from __future__ import annotations

import numpy as np
import pytest

from srcnn.data.image_set import ImageSet
from srcnn.overlap.keypoints import features, luma, working_image


def test_features_scale_and_move_with_the_image(sample: ImageSet) -> None:
    image = luma(dict(sample.images)["sample/test/camera"])[:256, :256]
    one, moved = features(image), features(np.ascontiguousarray(image[24:, 16:]))
    places = {(round(float(x)), round(float(y))) for x, y in zip(one.x, one.y, strict=True)}
    again = [(round(float(x)) + 16, round(float(y)) + 24) in places for x, y in zip(moved.x, moved.y, strict=True)]
    assert len(again) > 40
    assert np.mean(again) > 0.7  # but for those that the border and the number kept decide on
    assert np.linalg.norm(one.code, axis=1) == pytest.approx(1, abs=1e-5)
    small, factor = working_image(np.zeros((641, 1300), np.float32))
    assert (small.shape, factor) == ((160, 325), 4)
