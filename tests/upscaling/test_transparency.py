"""Transparency: premultiplied and back, and alpha that is wholly opaque or transparent where it was."""

from __future__ import annotations

import numpy as np
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.model.network import SRCNN
from srcnn.upscaling.enlarge import upscale
from srcnn.upscaling.transparency import match_chroma, premultiply, snap_alpha, unpremultiply


def test_there_and_back() -> None:
    colours = torch.tensor([[200.0, 100.0, 0.0], [10.0, 20.0, 30.0], [9.0, 9.0, 9.0]])
    alpha = torch.tensor([[255.0], [51.0], [0.0]])
    there = premultiply(colours, alpha, 255.0)
    assert torch.allclose(there, torch.tensor([[200.0, 100.0, 0.0], [2.0, 4.0, 6.0], [0.0, 0.0, 0.0]]))
    back = unpremultiply(there, alpha, 255.0)
    assert torch.allclose(back, torch.tensor([[200.0, 100.0, 0.0], [10.0, 20.0, 30.0], [0.0, 0.0, 0.0]]))
    assert unpremultiply(torch.tensor([30.0, -1.0]), torch.tensor([20.0, 20.0]), 255.0).tolist() == [255.0, 0.0]


def test_alpha_is_snapped_where_its_bicubic_image_is_at_an_end() -> None:
    alpha = torch.tensor([250.0, 3.0, 100.0, 260.0, -2.0, 251.0, 2.0])
    bicubic = torch.tensor([255.0, 0.0, 90.0, 200.0, 90.0, 262.0, -8.0])
    assert snap_alpha(alpha, bicubic, 255.0).tolist() == [255.0, 0.0, 100.0, 255.0, 0.0, 251.0, 2.0]


def test_chroma_follows_the_alpha_and_luma_stays() -> None:
    red = torch.tensor([[100.0, 0.0, 0.0]])
    found = match_chroma(red, torch.tensor([[120.0]]), torch.tensor([[60.0]]), 255.0)
    luma = 100.0 * 65.481 / 219.0
    assert torch.allclose(found, torch.tensor([[luma + 2 * (100 - luma), -luma, -luma]]), atol=1e-3)
    opaque = match_chroma(red, torch.tensor([[255.0]]), torch.tensor([[255.0]]), 255.0)
    assert torch.equal(opaque, red)


def test_what_a_transparent_pixel_hides_does_not_show_at_an_edge() -> None:
    """A white disc over hidden red, set on white: nothing may be seen. Zero padding must not fade the image's edge."""
    torch.manual_seed(0)
    config = ModelConfig(kernels="3-3", filters="8", scale=2, upsampling="pixel_shuffle", padding="zeros")
    network = SRCNN(config).eval()
    with torch.no_grad():
        network.convolutions[-1].weight.mul_(0.1)  # a trained network hardly changes a constant
    rows, columns = np.mgrid[:24, :50]
    inside = np.hypot(rows - 4, columns - 20) < 9
    image = np.empty((24, 50, 4), np.uint8)
    image[..., :3] = np.where(inside[..., None], 255, [255, 0, 0])
    image[..., 3] = 255 * inside
    large = upscale(image, 2, network=network).astype(float)
    alpha = large[..., 3:] / 255
    shown = large[..., :3] * alpha + 255 * (1 - alpha)
    assert shown.min() > 244
    assert (large[0, 2 * 20 : 2 * 20 + 4, 3] == 255).all()
    assert (large[-1, :, 3] == 0).all()
    tiled = upscale(image, 2, network=network, tile=3)
    assert np.array_equal(tiled, large)
