"""The colour table: the paper's figures of bicubic and of the authors' network, and each kind of network by definition.

The figures need Set5 in ``$SRCNN_DATA`` and, for the network, the released weights in ``srcnn-official`` below
``weights`` in or beside that folder. Without them those tests are skipped.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from srcnn.config.architecture import ModelConfig
from srcnn.data.datasets import load
from srcnn.data.image_set import NamedImage
from srcnn.errors import DataError
from srcnn.evaluation.color_table import PlaneScore, mean_planes, score_planes
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import evaluate
from srcnn.imaging.color import rgb_to_ycbcr
from srcnn.imaging.metrics import psnr
from srcnn.model.network import SRCNN
from srcnn.model.official_weights import load_official

REAL = os.environ.get("SRCNN_DATA")
FOLDERS = [Path(REAL, "weights/srcnn-official"), Path(REAL, "../weights/srcnn-official")] if REAL else []
WEIGHTS = next((folder for folder in FOLDERS if folder.is_dir()), None)


def set5() -> tuple[NamedImage, ...]:
    if not REAL or not Path(REAL, "Set5").is_dir():
        pytest.skip("$SRCNN_DATA holds no Set5")
    return load("Set5", Path(REAL)).images


def figures(score: PlaneScore) -> list[float]:
    return [score.y, score.cb, score.cr, score.color]


def photo(height: int = 31, width: int = 26) -> NDArray[np.uint8]:
    """A corner of a bundled photograph in colour."""
    image = next(image for _, image in load("sample/train").images if image.ndim == 3)
    return image[100 : 100 + height, 100 : 100 + width]


def network(color: str, *, silent: bool = False, **fields: Any) -> SRCNN:
    built = SRCNN(ModelConfig(**{"kernels": (3, 1), "filters": (4,), "color": color, **fields}))
    if silent:
        with torch.no_grad():
            for parameter in built.convolutions[-1].parameters():
                parameter.zero_()
    return built


# The paper's figures: TPAMI 2016, table 5


def test_bicubic_gives_the_printed_figures() -> None:
    """Of Cb 45.44 is printed; this protocol gives 45.449."""
    found = mean_planes(score_planes(None, set5(), 3))
    assert [round(value, 2) for value in figures(found)] == [30.39, 45.45, 45.42, 34.57]


def test_the_released_network_gives_the_printed_figures() -> None:
    images = set5()
    if WEIGHTS is None:
        pytest.skip("no released weights: weights/srcnn-official is neither in $SRCNN_DATA nor beside it")
    found = mean_planes(score_planes(load_official(WEIGHTS / "9-1-5(91 images)" / "x3.mat", 3), images, 3))
    assert [round(value, 2) for value in figures(found)] == [32.39, 45.45, 45.42, 36.37]


# By definition


def test_the_planes_together_are_their_mean_error() -> None:
    (found,) = score_planes(None, [("photo", photo())], 3)
    errors = [10 ** (-decibels / 10) for decibels in (found.y, found.cb, found.cr)]
    assert found.color == pytest.approx(-10 * math.log10(sum(errors) / 3))
    assert found.name == "photo"


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_agrees_with_evaluate(scale: int) -> None:
    images = [("a", photo(40, 50)), ("b", photo(33, 37))]
    for found, y, together in zip(
        score_planes(None, images, scale),
        evaluate(None, images, scale, with_ssim=False).images,
        evaluate(None, images, scale, color="ycbcr", with_ssim=False).images,
        strict=True,
    ):
        assert (found.name, found.y, found.color) == (y.name, y.psnr, together.psnr)


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
def test_a_network_of_y_leaves_the_other_planes_to_the_bicubic(upsampling: str) -> None:
    images, built = [("photo", photo())], network("y", upsampling=upsampling)
    (found,), (plain,) = score_planes(built, images, 3), score_planes(None, images, 3)
    assert found.y == evaluate(built, images, 3, with_ssim=False).mean.psnr != plain.y
    assert (found.cb, found.cr) == (plain.cb, plain.cr)


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
def test_a_network_of_all_planes_gives_them_all(upsampling: str) -> None:
    images, built = [("photo", photo())], network("ycbcr", upsampling=upsampling)
    (found,), (plain,) = score_planes(built, images, 3), score_planes(None, images, 3)
    assert found.color == pytest.approx(evaluate(built, images, 3, with_ssim=False).mean.psnr)
    assert all(a != b for a, b in zip(figures(found), figures(plain), strict=True))


def test_the_output_of_a_network_of_rgb_becomes_an_8_bit_image_first() -> None:
    image = photo(30, 24)
    (found,) = score_planes(network("rgb", silent=True), [("photo", image)], 3)  # its output is the bicubic RGB
    levels = np.floor(degrade(image, 3, color="rgb").bicubic.astype(np.float64) * 255 + 0.5).clip(0, 255)
    result, truth = (rgb_to_ycbcr(rgb)[3:-3, 3:-3].astype(np.float64) for rgb in (levels.astype(np.uint8), image))
    assert found.color == psnr(truth, result)
    assert [found.y, found.cb, found.cr] == [psnr(truth[:, :, c], result[:, :, c]) for c in range(3)]


@pytest.mark.parametrize("color", ["y", "ycbcr", "rgb"])
def test_a_grey_image_has_no_colour_to_lose(color: str) -> None:
    grey = photo()[:, :, 0]
    (found,) = score_planes(network(color, silent=True), [("grey", grey)], 3)
    (as_rgb,) = score_planes(network(color, silent=True), [("grey", np.stack([grey] * 3, axis=2))], 3)
    assert found == as_rgb
    assert found.cb == found.cr == math.inf
    assert math.isfinite(found.y)


def test_the_mean_is_taken_column_by_column() -> None:
    scores = [PlaneScore("a", 30, 40, 42, 35), PlaneScore("b", 31, 44, 43, 37)]
    assert mean_planes(scores) == PlaneScore("mean", 30.5, 42, 42.5, 36)


def test_no_image_is_refused() -> None:
    with pytest.raises(DataError, match="no image"):
        score_planes(None, [], 3)


def test_an_image_smaller_than_the_scale_is_named() -> None:
    with pytest.raises(DataError, match="tiny: 40x2 pixels are too few for scale 3"):
        score_planes(None, [("tiny", np.zeros((2, 40, 3), dtype=np.uint8))], 3)
