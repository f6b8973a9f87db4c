"""One pass over a photo: the protocol's result, in every kind of photo, tiled or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from srcnn.config.architecture import ModelConfig
from srcnn.evaluation.degradation import Degraded
from srcnn.evaluation.protocol import reconstruct
from srcnn.imaging.resize import imresize
from srcnn.model.network import SRCNN
from srcnn.upscaling.network_pass import network_pass, peak_of, resize_pass
from srcnn.upscaling.tiles import prepare


def network(**fields: object) -> SRCNN:
    config = ModelConfig.model_validate({"scale": 2, "kernels": "5-1-3", "filters": "9-17", **fields})
    made = SRCNN(config).eval()
    with torch.no_grad():
        for layer in made.convolutions:
            assert layer.bias is not None
            layer.bias.normal_(0, 0.05, generator=torch.Generator().manual_seed(1))
    return made


def enlarged(image: NDArray[Any], made: SRCNN, **options: Any) -> NDArray[Any]:
    scale = made.config.scale
    out = np.empty((image.shape[0] * scale, image.shape[1] * scale, *image.shape[2:]), image.dtype)
    network_pass(image, out, prepare(made, options.pop("precision", "fp32")), **options)
    return out


def photo(*shape: int, dtype: Any = np.float32) -> NDArray[Any]:
    values = np.random.default_rng(sum(shape)).random(shape, np.float32) * 0.5 + 0.25
    peak = peak_of(np.dtype(dtype))
    return (values * peak).astype(dtype)


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
@pytest.mark.parametrize(
    ("color", "residual", "padding", "scale"),
    [("y", True, "zeros", 2), ("y", False, "replicate", 3), ("rgb", True, "replicate", 2), ("rgb", False, "zeros", 4)],
)
def test_planes_are_those_of_the_protocol(
    upsampling: str, color: str, residual: bool, padding: str, scale: int
) -> None:
    made = network(upsampling=upsampling, color=color, residual=residual, padding=padding, scale=scale)
    for height, width in ((1, 1), (13, 22)):
        image = photo(height, width, made.config.channels)
        degraded = Degraded("", image, imresize(image, scale).astype(np.float32), image, scale)
        expected = reconstruct(made, degraded).clip(0, 1)
        given = image if made.config.channels == 3 else image[:, :, 0]
        found = enlarged(given, made)
        assert np.allclose(found.reshape(expected.shape), expected, atol=3e-6)
        assert np.array_equal(enlarged(given, made, tile=1 if height == 1 else 5), found)


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [(), (2,), (3,), (4,)])
def test_tiled_minus_whole_is_zero(upsampling: str, dtype: Any, channels: tuple[int, ...]) -> None:
    made = network(upsampling=upsampling, padding="zeros")
    image = photo(11, 37, *channels, dtype=dtype)
    if channels in ((2,), (4,)):
        image[:, 10:, -1] = peak_of(image.dtype)  # most tiles are opaque
        image[:3, :4, -1] = 0
    whole = enlarged(image, made, tile=100, precision="bf16")
    assert whole.dtype == dtype
    assert np.array_equal(enlarged(image, made, tile=4, threads=2, precision="bf16"), whole)
    if channels in ((2,), (4,)):
        assert (whole[:, 26:, -1] == peak_of(image.dtype)).all()
        assert np.array_equal(whole[:, 40:, :-1].squeeze(), enlarged(image[..., :-1].squeeze(), made)[:, 40:]) or (
            np.abs(whole[:, 40:, :-1].squeeze() - enlarged(image[..., :-1].squeeze(), made)[:, 40:].astype(float)).max()
            <= 0.02 * peak_of(image.dtype)
        )


def test_colour_is_y_by_the_network_and_bicubic_chroma() -> None:
    made = network()
    image = photo(9, 12, 3)
    matrix = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
    planes = image @ matrix.T + np.array([16, 128, 128]) / 255
    y = planes[:, :, :1].astype(np.float32)
    bicubic = imresize(planes, 2)
    large = reconstruct(made, Degraded("", y, bicubic[:, :, :1].astype(np.float32), y, 2))
    joined = np.concatenate([large, bicubic[:, :, 1:]], axis=2)
    expected = ((joined - np.array([16, 128, 128]) / 255) @ np.linalg.inv(matrix).T).clip(0, 1)
    assert np.allclose(enlarged(image, made), expected, atol=5e-6)


def test_progress_counts_pixels_and_memory_maps_are_filled(tmp_path: Any) -> None:
    made, image = network(), photo(10, 21, dtype=np.uint8)
    told: list[int] = []
    out = np.memmap(tmp_path / "out", np.uint8, "w+", shape=(20, 42))
    network_pass(image, out, prepare(made, "fp32"), tile=4, progress=told.append)
    assert sum(told) == out.size
    assert len(told) > 3
    assert np.array_equal(out, enlarged(image, made))


def test_resizing_rounds_and_weighs_colours_by_alpha() -> None:
    image = photo(9, 12, 3, dtype=np.uint8)
    out = np.empty((18, 24, 3), np.uint8)
    resize_pass(image, out)
    assert np.array_equal(out, np.floor(imresize(image, 2) + 0.5).clip(0, 255))
    hidden = np.full((1, 8, 4), 255, np.uint8)
    hidden[0, :4] = [200, 100, 0, 0]
    half = np.empty((1, 4, 4), np.uint8)
    resize_pass(hidden, half)
    assert (half[half[..., 3] > 0][:, :3] == 255).all()
