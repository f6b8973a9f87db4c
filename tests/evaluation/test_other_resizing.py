"""Other software's resizing, against that software."""

from __future__ import annotations

import importlib.util
from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from srcnn.data.datasets import load
from srcnn.evaluation.other_resizing import METHODS, cubic_resize, shrink_and_enlarge
from srcnn.imaging.resize import imresize

SCALES = [Fraction(1, 3), Fraction(1, 2), Fraction(2), Fraction(4)]


def photo() -> NDArray[np.float64]:
    return load("sample/test").images[0][1][40:112, 200:260] / 255.0


@pytest.mark.parametrize("scale", SCALES)
def test_torch_agrees(scale: Fraction) -> None:
    given = torch.from_numpy(photo().transpose(2, 0, 1)[None])
    theirs = torch.nn.functional.interpolate(given, scale_factor=float(scale), mode="bicubic")[0].numpy()
    assert np.abs(METHODS["torch"](photo(), scale) - theirs.transpose(1, 2, 0)).max() < 1e-12


@pytest.mark.parametrize("scale", SCALES)
def test_opencv_agrees(scale: Fraction, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    planes = photo()
    levels = np.rint(planes * 255).astype(np.uint8)
    size = int(levels.shape[1] * scale), int(levels.shape[0] * scale)
    theirs = cv2.resize(levels, size, interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(np.rint(METHODS["opencv"](planes, scale) * 255), theirs)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    own = np.rint(METHODS["opencv"](planes, scale) * 255)
    assert np.abs(own - theirs).max() <= 1  # their weights have 11 bits
    assert np.mean(own != theirs) < 0.01


def test_pillow_is_pillows_of_each_plane() -> None:
    levels = np.rint(photo() * 255).astype(np.uint8)
    theirs = np.asarray(Image.fromarray(levels).resize((20, 24), Image.Resampling.BICUBIC))
    assert np.array_equal(np.rint(METHODS["pillow"](photo(), Fraction(1, 3)) * 255), theirs)


def test_without_antialiasing_enlarging_is_matlabs_away_from_the_border() -> None:
    ours, matlab = cubic_resize(photo(), Fraction(3), -0.5), imresize(photo(), 3)
    assert ours.shape == matlab.shape
    assert np.abs(ours - matlab)[6:-6, 6:-6].max() < 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_shape_and_a_flat_image(method: str) -> None:
    small, large = shrink_and_enlarge(np.full((12, 18, 1), 51 / 255.0), 3, method)
    assert small.shape == (4, 6, 1) and large.shape == (12, 18, 1)
    assert np.allclose(large, 0.2, atol=1e-12) and np.allclose(small, 0.2, atol=1e-12)
