"""The shortlist holds the pairs that show the same, with a placement near the true one, and few others."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.transform import resize

from srcnn.data.image_set import ImageSet
from srcnn.overlap.matching import candidates, describe


def test_a_smaller_copy_and_its_mirror_image_are_listed_with_their_placement(sample: ImageSet) -> None:
    images = [image for _, image in sample.images if min(image.shape[:2]) > 250][:4]
    height, width = images[0].shape[:2]
    small = resize(images[0], (height // 2, width // 2), anti_aliasing=True, preserve_range=True).astype(np.uint8)
    described = [describe(image) for image in images]
    for copy, sign in ((small, 1), (np.ascontiguousarray(small[:, ::-1]), -1)):
        best = next(candidates(described, [describe(copy)]))
        assert (best.first, best.second) == (0, 0) and best.votes >= 10
        assert best.placement.scale_x == pytest.approx(sign * 0.5, abs=0.02)
        assert best.placement.scale_y == pytest.approx(0.5, abs=0.02)


def test_within_a_set_the_lower_index_comes_first_and_no_image_meets_itself(sample: ImageSet) -> None:
    (_, one), (_, two) = [pair for pair in sample.images if min(pair[1].shape[:2]) > 250][:2]
    found = list(candidates([describe(one), describe(two), describe(one)]))
    assert (found[0].first, found[0].second) == (0, 2)
    assert all(pair.first < pair.second for pair in found)


def test_flat_images_have_no_features_and_are_alike_as_a_whole_or_not_at_all() -> None:
    flat = describe(np.full((80, 80), 90, np.uint8))
    assert len(flat.features) == 0 and flat.shape == (80, 80)
    assert all(pair.votes == 0 for pair in candidates([flat, flat]))
    assert list(candidates([], [])) == []
