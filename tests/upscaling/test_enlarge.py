"""`upscale`: every kind of image to any size, the protocol's PSNR, and mistakes in one line."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import srcnn
from srcnn.config.architecture import ModelConfig
from srcnn.data.datasets import load
from srcnn.errors import ConfigError
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import evaluate
from srcnn.imaging.metrics import psnr, quantize, shave
from srcnn.imaging.resize import imresize
from srcnn.model.network import SRCNN
from srcnn.model.official_weights import load_official, official_file
from srcnn.upscaling.enlarge import empty_image, enlarge_image, passes, result_size, upscale

from pictures import photo


def small(scale: int = 2) -> SRCNN:
    made = SRCNN(ModelConfig(kernels="3-3-3", filters="8-8", scale=scale, upsampling="pixel_shuffle", padding="zeros"))
    with torch.no_grad():
        made.convolutions[-1].weight.mul_(0.3)
    return made.eval()


def data_root() -> Path:
    return Path(os.environ.get("SRCNN_DATA", "data"))


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kind", ["official", "pixel_shuffle"])
def test_psnr_of_a_degraded_image_is_the_protocols(scale: int, kind: str) -> None:
    if kind == "official":
        folder = "9-1-5(91 images)" if scale == 3 else "9-5-5(ImageNet)"
        file = official_file(folder, scale, data_root())
        if file is None:
            pytest.skip("the authors' weights are not on disk: see SRCNN_DATA")
        network = load_official(file, scale)
    else:
        network = small(scale)
    name, image = load("sample/test").images[0]
    if (data_root() / "Set5").is_dir():
        name, image = min(load("Set5", data_root()).images, key=lambda pair: pair[1].size)
    expected = evaluate(network, [(name, image)], scale, with_ssim=False).mean.psnr
    degraded = degrade(image, scale)
    truth = quantize(shave(degraded.target[:, :, 0], scale))

    def measured(precision: str) -> float:
        large = upscale(degraded.small[:, :, 0], scale, network=network, precision=precision)
        return psnr(truth, quantize(shave(large, scale)))

    assert f"{measured('fp32'):.3f}" == f"{expected:.3f}"
    assert measured("auto") == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_pillow_images_keep_their_mode(mode: str) -> None:
    dtype = np.uint16 if mode == "I;16" else np.uint8
    channels = {"L": (), "I;16": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, *channels)).astype(dtype)
    image = Image.fromarray(pixels)
    assert image.mode == mode
    large = upscale(image, 2, network=small())
    assert isinstance(large, Image.Image)
    assert large.mode == mode
    assert large.size == (18, 14)
    assert np.array_equal(np.asarray(large), srcnn.upscale(pixels, 2, network=small()))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_types_agree_but_for_rounding(dtype: Any) -> None:
    levels = np.random.default_rng(0).integers(40, 200, (8, 9, 3))
    peak = {np.uint8: 255, np.uint16: 65535, np.float32: 1}[dtype]
    image = (levels * (peak / 255)).astype(dtype)
    large = upscale(image, 2, network=small(), precision="fp32") / peak
    expected = upscale((levels / 255).astype(np.float32), 2, network=small(), precision="fp32")
    assert np.allclose(large, expected, atol=0.51 / peak + 2e-6)


def test_passes() -> None:
    assert [passes(f) for f in (1.5, 2, 2.5, 3, 4, 5, 6, 8, 9, 12)] == [
        (2,), (2,), (3,), (3,), (4,), (3, 2), (3, 2), (4, 2), (3, 3), (4, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(("scale", "asked"), [(6, [3, 2]), (2.5, [3]), (4, [4])])
def test_any_factor_by_the_networks_of_its_passes(scale: float, asked: list[int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 8), np.uint8)
    seen = []

    def find(factor: int) -> SRCNN:
        seen.append(factor)
        return small(factor)

    large = upscale(image, scale, network=find)
    assert seen == asked
    assert large.shape == (np.floor(5 * scale + 0.5), 8 * scale)
    assert upscale(image, 3, network=small(2)).shape == (15, 24)  # twice, then smaller
    constant = upscale(np.full((4, 4, 3), 77, np.uint8), size=(11, 30), network="bicubic")
    assert constant.shape == (30, 11, 3)
    assert (constant == 77).all()


def test_shrinking_and_bicubic_are_the_protocols_bicubic() -> None:
    image = np.random.default_rng(0).random((12, 8), np.float32) * 0.5 + 0.25
    assert np.allclose(upscale(image, 0.5), imresize(image, 0.5).clip(0, 1), atol=1e-6)
    assert np.allclose(upscale(image, 3, network="bicubic"), imresize(image, 3).clip(0, 1), atol=1e-6)
    assert np.array_equal(upscale(image, 1), image)


def test_the_champion_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srcnn.champions.load_champion", small)
    image = np.random.default_rng(0).integers(0, 256, (5, 8), np.uint8)
    assert np.array_equal(upscale(image, 2), upscale(image, 2, network=small()))


def test_progress_ends_at_all(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    told: list[tuple[int, int]] = []
    out = np.memmap(tmp_path / "out", np.uint8, "w+", shape=(75, 50, 3))
    found = enlarge_image(
        image, out, scale=2.5, network=small(), tile=8, progress=lambda done, total: told.append((done, total))
    )
    assert found is out
    assert np.array_equal(out, upscale(image, 2.5, network=small()))
    totals = {total for _, total in told}
    assert totals == {120 * 80 + 60 * 40 + 75 * 50}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]


IMAGE = np.zeros((4, 6), np.uint8)


@pytest.mark.parametrize(
    ("image", "options", "says"),
    [
        (IMAGE, {}, r"^scale, size: one of them must be given, but got scale None and size None$"),
        (IMAGE, {"scale": 2, "size": (3, 3)}, "^scale, size: one of them"),
        (IMAGE, {"scale": 0}, "^scale: must be above 0 and at most 1000, but got 0$"),
        (IMAGE, {"scale": -2}, "^scale: must be above 0"),
        (IMAGE, {"scale": float("nan")}, "^scale: must be above 0 and at most 1000, but got nan$"),
        (IMAGE, {"scale": float("inf")}, "^scale: must be above 0"),
        (IMAGE, {"size": (0, 3)}, "^size: must be two integers of at least 1"),
        (IMAGE, {"scale": 2, "max_pixels": 95}, r"^max_pixels: the result may have 95 pixels, but 12x8 are 96$"),
        (IMAGE, {"scale": 2, "precision": "int8"}, "^precision: must be one of auto, fp32, bf16"),
        (IMAGE, {"scale": 2, "threads": 0}, "^threads: must be an integer of at least 1, but got 0$"),
        (IMAGE, {"scale": 2, "tile": 0}, "^tile: must be"),
        (IMAGE, {"scale": 2, "network": lambda scale: small(3)}, "^network: must enlarge by 2, but enlarges by 3$"),
        (IMAGE.astype(np.float64), {"scale": 2}, "^image: dtype must be uint8, uint16 or float32, but got float64$"),
        (np.zeros((4, 6, 5), np.uint8), {"scale": 2}, r"^image: shape must be .*, but got \(4, 6, 5\)$"),
        (np.zeros((0, 6), np.uint8), {"scale": 2}, "^image: must not be empty"),
        (
            Image.new("CMYK", (3, 3)),
            {"scale": 2},
            r"^image: the mode must be one of L, LA, RGB, RGBA, I;16, but got CMYK$",
        ),
        ([[1]], {"scale": 2}, "^image: must be a NumPy array or a Pillow image, but got list$"),
    ],
)
def test_mistakes(image: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        upscale(image, **options)
    assert "\n" not in str(caught.value)


def test_sizes() -> None:
    assert result_size(5, 1, scale=2.5) == (13, 3)
    assert result_size(5, 1, scale=0.01) == (1, 1)
    assert result_size(5, 1, size=(7, 9)) == (7, 9)
    with pytest.raises(ConfigError, match=r"^out: must be uint8 of shape"):
        enlarge_image(IMAGE, np.empty((3, 3), np.uint8), scale=2, network="bicubic")


def test_a_large_array_lies_in_a_file_if_the_disk_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    image = photo(30, 20)
    small = empty_image((60, 40, 3), image.dtype)
    assert type(small) is np.ndarray
    large = empty_image((60, 40, 3), image.dtype, in_memory=1000)
    assert isinstance(large, np.memmap)
    for out in (small, large):
        enlarge_image(image, out, size=(40, 60), network="bicubic")
    assert np.array_equal(small, large)

    def full(*arguments: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert type(empty_image((60, 40, 3), image.dtype, in_memory=1000)) is np.ndarray
