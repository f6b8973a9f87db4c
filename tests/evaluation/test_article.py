"""The article's protocol, against Pillow used as the article uses it and the formula worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from srcnn.config.presets import preset
from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, DataError
from srcnn.evaluation.article import CROP, average_psnr, degrade_article
from srcnn.evaluation.degradation import Degraded
from srcnn.training.fit import fit
from srcnn.training.patches import prepare


def photo(height: int = 300, width: int = 300, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth blobs and an edge, different for every seed."""
    y, x = np.mgrid[:height, :width] / 40 + seed
    plane = 120 + 50 * np.sin(y) * np.cos(1.3 * x) + 40 * (np.sin(x + y) > 0.5)
    return np.asarray((plane[:, :, None] + np.array([10, 0, -15])).clip(0, 255), dtype=np.uint8)


def flat(error: float, side: int = 8) -> Degraded:
    """A pair whose bicubic image is wrong by ``error`` everywhere."""
    shape = (side, side, 1)
    zeros = np.zeros(shape, dtype=np.float32)
    return Degraded("", zeros, np.full(shape, error, dtype=np.float32), zeros, 1)


@pytest.mark.parametrize(("scale", "side"), [(2, 256), (3, 255), (4, 256)])
def test_degrade_is_pillow_on_the_centre(scale: int, side: int) -> None:
    image = photo(320, 290)
    top, left = (320 - side) // 2, (290 - side) // 2
    if side == 255:
        top, left = 32, 18  # 32.5 and 17.5: torchvision's CenterCrop rounds halves to even
    box = (left, top, left + side, top + side)
    luma = Image.fromarray(image).crop(box).convert("YCbCr").split()[0]
    small = luma.resize((side // scale, side // scale), Image.Resampling.BICUBIC)
    ready = degrade_article(image, scale, name="photo")
    assert (ready.name, ready.scale, CROP) == ("photo", scale, 256)
    for plane, expected in ((ready.target, luma), (ready.small, small), (ready.bicubic, small.resize((side, side), 3))):
        np.testing.assert_array_equal(plane[:, :, 0], np.asarray(expected) / np.float32(255))


def test_the_luma_is_the_full_range_one_of_jpeg() -> None:
    """JFIF: Y = 0.299 R + 0.587 G + 0.114 B, from 0 to 255, and not BT.601's 16 to 235."""
    image = photo()
    expected = image[22:278, 22:278].astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(degrade_article(image, 4).target[:, :, 0] * 255 - expected).max() <= 0.51
    white = np.full((256, 256, 3), 255, dtype=np.uint8)
    assert degrade_article(white, 4).target.min() == 1.0


@pytest.mark.parametrize(("margin", "offset"), [(0, 0), (1, 0), (2, 1), (3, 2), (5, 2), (6, 3), (7, 4)])
def test_odd_margins_round_to_even(margin: int, offset: int) -> None:
    """torchvision: ``int(round((height - crop) / 2.0))``."""
    rows = np.zeros((256 + margin, 256), dtype=np.uint8)
    rows[:] = np.arange(256 + margin)[:, None] % 256
    assert round(float(degrade_article(rows, 4).target[0, 0, 0]) * 255) == offset


def test_a_grey_image_is_its_own_luma() -> None:
    grey = photo()[:, :, 0]
    np.testing.assert_array_equal(np.rint(degrade_article(grey, 4).target[:, :, 0] * 255), grey[22:278, 22:278])


@pytest.mark.parametrize(("height", "width"), [(255, 300), (300, 200)])
def test_a_small_image_is_named(height: int, width: int) -> None:
    with pytest.raises(DataError, match=rf"tiny: {width}x{height} pixels.*256x256"):
        degrade_article(photo(height, width), 4, name="tiny")


def test_the_figure_pools_the_errors_of_a_batch_and_averages_batches() -> None:
    """mse 0.01 and 0.03 pool to 0.02, 16.9897 dB; the third alone is 0.0001, 40 dB."""
    images = [flat(0.1), flat(math.sqrt(0.03)), flat(0.01)]
    assert average_psnr(None, images, 2) == pytest.approx((10 * math.log10(50) + 40) / 2, abs=1e-5)
    assert average_psnr(None, images, 1) == pytest.approx((20 + 10 * math.log10(100 / 3) + 40) / 3, abs=1e-5)
    assert average_psnr(None, images) == pytest.approx(10 * math.log10(3 / 0.0401), abs=1e-5)


def test_nothing_is_clipped_rounded_or_shaved() -> None:
    image = flat(0.0)
    image.bicubic[0, 0] = 8.0  # a corner, far outside [0, 1]: mse is 64 / 64
    assert average_psnr(None, [image]) == pytest.approx(0.0, abs=1e-9)
    assert average_psnr(None, [flat(0.001)]) == pytest.approx(60.0, abs=1e-4)  # a quarter of a level


def test_equal_images_are_infinite() -> None:
    assert average_psnr(None, [flat(0.0)]) == math.inf


def test_no_image_is_refused() -> None:
    with pytest.raises(DataError, match="no image"):
        average_psnr(None, [])


def test_the_article_preset_trains_an_epoch() -> None:
    fields = {**preset("article"), "epochs": 1, "batch_size": 2}
    config = TrainConfig(**fields)
    images = [(f"photo{i}", photo(seed=i)) for i in range(4)]
    (result,) = fit(config, prepare(images, config.scale, protocol="article"))
    assert (result.step, result.pixels, result.learning_rate) == (2, 4 * 256 * 256, 0.01)
    # The first step starts from nothing, and an image of zeros is worth the mean square of the images.
    assert 0 < result.loss < 1
    prepared = [degrade_article(image, config.scale) for _, image in images]
    assert math.isfinite(average_psnr(result.network, prepared, config.test_batch_size))


def test_the_article_knows_grey_alone() -> None:
    with pytest.raises(ConfigError, match=r"color.*'rgb'"):
        TrainConfig(protocol="article", color="rgb", patch_size=256, epochs=1)
