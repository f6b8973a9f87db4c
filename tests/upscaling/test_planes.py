"""Colour maps agree with the protocol's conversions, whatever the photo and the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.imaging.color import rgb_to_ycbcr
from srcnn.upscaling.planes import plane_map


def config(color: str, *, residual: bool) -> ModelConfig:
    return ModelConfig.model_validate(
        {"color": color, "residual": residual, "scale": 2, "kernels": "1-1", "filters": "1"}
    )


@pytest.mark.parametrize("color", ["y", "rgb", "ycbcr"])
def test_planes_are_the_protocols(color: str) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    levels = torch.from_numpy(rgb.astype(np.float32))[None]
    with torch.inference_mode():
        found = plane_map(config(color, residual=True), 3, 255.0).planes(levels)[0].numpy() * 255
    expected = rgb if color == "rgb" else rgb_to_ycbcr(rgb)[:, :, : found.shape[2]]
    assert np.abs(found - expected).max() <= 0.5 + 1e-3  # the protocol rounds them
    with torch.inference_mode():
        grey = plane_map(config(color, residual=True), 1, 65535.0).planes(torch.full((1, 1, 1, 1), 65535.0))
    white = {"y": [1.0], "rgb": [1.0, 1.0, 1.0], "ycbcr": [235 / 255, 128 / 255, 128 / 255]}[color]
    assert np.allclose(grey.flatten(), white, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("color", ["y", "rgb", "ycbcr"])
def test_a_network_that_changes_nothing_changes_nothing(color: str, residual: bool, channels: int) -> None:
    """Outputs 0 of a residual network, and the planes themselves of another, leave the bicubic image."""
    colours = plane_map(config(color, residual=residual), channels, 255.0)
    bicubic = torch.rand(1, 2, 3, 4 * channels) * 255
    with torch.inference_mode():
        pixels = bicubic.view(1, 2, 12, channels)
        planes = colours.planes(pixels.contiguous()).view(2, 3, 4, -1).transpose(2, 3).reshape(1, 2, 3, -1)
        outputs = torch.zeros_like(planes) if residual else planes
        found = colours.combine(outputs, bicubic)
    assert np.allclose(found, bicubic, atol=1e-3)


def test_a_change_of_y_moves_red_green_and_blue_alike() -> None:
    colours = plane_map(config("y", residual=True), 3, 255.0)
    with torch.inference_mode():
        found = colours.combine(torch.tensor([0.0, 0.0, 0.0, 219 / 255]).view(1, 1, 1, 4), torch.zeros(1, 1, 1, 12))
    assert np.allclose(found.flatten(), [0.0] * 9 + [255.0] * 3, atol=1e-3)
