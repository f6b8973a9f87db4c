"""Planted deviations are named: each is computed here by other software than the library's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from srcnn.config.architecture import ModelConfig
from srcnn.data.datasets import load
from srcnn.errors import ConfigError, DataError
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.deviations import deviations, explain
from srcnn.evaluation.protocol import evaluate
from srcnn.imaging.color import luma
from srcnn.imaging.metrics import quantize
from srcnn.imaging.resize import imresize
from srcnn.model.network import SRCNN

REAL = os.environ.get("SRCNN_DATA")
SET5 = pytest.param("Set5", marks=pytest.mark.skipif(not REAL or not Path(REAL, "Set5").is_dir(), reason="no Set5"))
SCALE = 3

Array = NDArray[np.float64]
Images = list[tuple[str, NDArray[np.uint8]]]


def images_of(name: str) -> Images:
    if name == "Set5":
        return [
            (n, image[: h - h % SCALE, : w - w % SCALE]) for n, image in load(name).images for h, w in [image.shape[:2]]
        ]
    return [(n, image[60:180, 90:210]) for n, image in load("sample/test").images if image.ndim == 3]


def both(plane: NDArray[np.uint8]) -> tuple[Array, Array]:
    """A plane and its bicubic version by the protocol, both on levels 0..255, rounded."""
    small = imresize(plane / 255.0, 1 / SCALE)
    return plane.astype(np.float64), quantize(imresize(small, SCALE))


def figure(pairs: list[tuple[Array, Array]], border: int = SCALE) -> float:
    inner = [tuple(x[border : x.shape[0] - border, border : x.shape[1] - border] for x in pair) for pair in pairs]
    return float(np.mean([peak_signal_noise_ratio(a, b, data_range=255) for a, b in inner]))


def by_pillow(images: Images) -> float:
    found = []
    for _, image in images:
        y = Image.fromarray(luma(image))
        small = y.resize((y.width // SCALE, y.height // SCALE), Image.Resampling.BICUBIC)
        large = small.resize(y.size, Image.Resampling.BICUBIC)
        found.append((np.asarray(y, dtype=np.float64), np.asarray(large, dtype=np.float64)))
    return figure(found)


def by_torch(images: Images) -> float:
    found = []
    for _, image in images:
        y = torch.from_numpy(luma(image) / 255.0)[None, None]
        small = torch.nn.functional.interpolate(y, scale_factor=1 / SCALE, mode="bicubic", recompute_scale_factor=True)
        large = torch.nn.functional.interpolate(small, size=y.shape[2:], mode="bicubic")
        found.append((y[0, 0].numpy() * 255, np.clip(np.floor(large[0, 0].numpy() * 255 + 0.5), 0, 255)))
    return figure(found)


def in_rgb(images: Images) -> float:
    return figure([both(image) for _, image in images])


def in_jpegs_luma(images: Images) -> float:
    return figure([both(np.asarray(Image.fromarray(image).convert("L"))) for _, image in images])


def without_shaving(images: Images) -> float:
    return figure([both(luma(image)) for _, image in images], border=0)


def of_the_mean_error(images: Images) -> float:
    errors = []
    for _, image in images:
        a, b = (x[SCALE:-SCALE, SCALE:-SCALE] for x in both(np.rint(rgb2ycbcr(image)[:, :, 0]).astype(np.uint8)))
        errors.append(np.mean((a - b) ** 2))
    return float(10 * np.log10(255**2 / np.mean(errors)))


PLANTED: dict[str, Callable[[Images], float]] = {
    "Pillow's bicubic on Y": by_pillow,
    "torch's bicubic without antialiasing": by_torch,
    "RGB instead of Y": in_rgb,
    "full-range Y of JPEG (Pillow, OpenCV)": in_jpegs_luma,
    "no shaving": without_shaving,
    "PSNR of the mean squared error of all images": of_the_mean_error,
}


@pytest.mark.parametrize("where", ["sample/test", SET5])
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_deviation_is_named(name: str, where: str) -> None:
    images = images_of(where)
    given = round(PLANTED[name](images), 2)
    found = explain(given, images, SCALE)
    # With two digits, a neighbour may fit as well; what was planted is among them.
    assert name in [one.name for one in found.found], (given, [(o.name, o.psnr) for o in found.rows])
    assert found.found[0].names and not found.pairs


def test_a_pair_is_named_where_no_single_deviation_fits() -> None:
    images = images_of("sample/test")
    given = figure([both(image) for _, image in images], border=0)
    found = explain(round(given, 3), images, SCALE)
    assert found.found[0].names == ("RGB instead of Y", "no shaving")
    assert found.found[0].psnr == pytest.approx(given, abs=1e-9)
    assert found.found[0] == found.nearest


def test_the_protocol_itself_and_nothing() -> None:
    images = images_of("sample/test")
    exact = evaluate(None, images, SCALE).mean.psnr
    found = explain(round(exact, 1), images, SCALE, tolerance=0.05)
    assert [one.name for one in found.found] == ["the protocol itself"]
    assert found.rows[0].psnr == pytest.approx(exact, abs=1e-4)  # float32 there, float64 here
    nothing = explain(exact + 9, images, SCALE, tolerance=0.005)
    assert nothing.found == () and len(nothing.pairs) > 50
    assert abs(nothing.nearest.difference) == min(abs(one.difference) for one in nothing.pairs)


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
def test_a_network_is_measured_as_the_protocol_does(upsampling: str) -> None:
    network = SRCNN(ModelConfig(kernels=(3, 1), filters=(4,), scale=SCALE, upsampling=upsampling))
    network.initialize("he", 0.1, torch.Generator().manual_seed(0))
    images = images_of("sample/test")
    found = explain(99.0, images, SCALE, network=network)
    assert found.rows[0].psnr == pytest.approx(evaluate(network, images, SCALE).mean.psnr, abs=1e-4)
    # A change of Y alone moves R, G and B alike, and the chroma stays bicubic.
    rgb = next(one.psnr for one in found.rows if one.names == ("RGB instead of Y",))
    assert np.isfinite(rgb) and rgb != pytest.approx(found.rows[0].psnr)
    with pytest.raises(ConfigError, match=r"model: must be a network for the Y plane at x2, but got one for y at x3"):
        explain(30.0, images, 2, network=network)


def test_upscaled_images_are_measured_as_they_are() -> None:
    images = [*images_of("sample/test"), ("grey", images_of("sample/test")[0][1][:, :, 0])]
    files = {}
    for name, image in images:
        planes = degrade(image, SCALE, color="rgb").bicubic
        files[name] = quantize(planes if image.ndim == 3 else planes[:, :, 0]).astype(np.uint8)
    colour = images[:-1]
    given = in_rgb(colour)
    found = explain(round(given, 4), colour, SCALE, upscaled=files)
    assert found.found[0].names == ("RGB instead of Y",)
    assert not any("bicubic" in one.name or "rounded" in one.name for one in found.rows)
    assert explain(given, images, SCALE, upscaled=files).rows[0].psnr > 20
    with pytest.raises(DataError, match=r"grey: must be among the enlarged images"):
        explain(30.0, images, SCALE, upscaled={name: files[name] for name, _ in colour})
    with pytest.raises(DataError, match=r"the enlarged image must have 120x120 pixels, but has 119x120"):
        explain(30.0, colour, SCALE, upscaled={name: image[:, :-1] for name, image in files.items()})


def test_deviations_have_names_of_their_own() -> None:
    for scale in (2, 3, 4):
        names = [one.name for one in deviations(scale)]
        assert len(set(names)) == len(names)
        assert {one.name for one in deviations(scale, from_files=True)} < set(names)
    with pytest.raises(DataError, match="no image"):
        explain(30.0, [], 3)


def test_an_image_that_this_machine_cannot_hold_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    images = [("small", np.zeros((30, 40), np.uint8)), ("large", np.zeros((100, 200), np.uint8))]
    monkeypatch.setattr("srcnn.evaluation.deviations.machine_memory", lambda: 2_999_999)
    with pytest.raises(
        DataError, match=r"^large: to measure an image of 0\.0 megapixels by every procedure would take 3 MiB"
    ):
        explain(30.0, images, 2)
    monkeypatch.setattr("srcnn.evaluation.deviations.machine_memory", lambda: 3_000_000)
    assert explain(30.0, images, 2).rows
