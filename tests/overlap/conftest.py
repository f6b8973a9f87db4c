"""The bundled photographs, as these tests want them."""

from __future__ import annotations

import pytest

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet


@pytest.fixture(scope="module")
def sample() -> ImageSet:
    images = load("sample/train+sample/test")
    # A blurred photograph has nothing to tell a part of it by.
    return ImageSet(images.name, tuple(pair for pair in images.images if not pair[0].endswith("clock_motion")))
