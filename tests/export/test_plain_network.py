"""Plain layers give what the protocol gives, on images down to one pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from srcnn.export.parity import largest_difference
from srcnn.export.plain_network import PlainNetwork, bicubic_kernel, expected
from srcnn.imaging.resize import imresize

from small_network import small_network


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bicubic_kernel_is_that_of_the_protocol(scale: int) -> None:
    """In the middle of an image, where no border is mirrored."""
    image = np.random.default_rng(0).random((7, 9))
    taps = torch.nn.functional.conv2d(
        torch.from_numpy(image[None, None].astype(np.float32)), torch.from_numpy(bicubic_kernel(scale))
    )
    large = torch.nn.functional.pixel_shuffle(taps, scale)[0, 0].numpy()
    assert np.abs(large - imresize(image, scale)[2 * scale : -2 * scale, 2 * scale : -2 * scale]).max() < 1e-6
    assert bicubic_kernel(scale).sum(axis=(1, 2, 3)) == pytest.approx(np.ones(scale * scale), abs=1e-6)


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    "fields",
    [{}, {"residual": False, "padding": "zeros"}, {"color": "ycbcr"}, {"activation": "prelu", "padding": "zeros"}],
    ids=str,
)
def test_the_output_is_that_of_the_protocol(upsampling: str, scale: int, fields: dict[str, object]) -> None:
    network = small_network(upsampling=upsampling, scale=scale, **fields)
    plain = PlainNetwork(network)
    sizes = ((1, 1), (1, 5), (2, 3), (31, 18))
    with torch.inference_mode():
        assert largest_difference(network, lambda x: plain(torch.from_numpy(x)).numpy(), sizes) < 5e-6


def test_a_network_changes_the_image() -> None:
    small = np.random.default_rng(0).random((12, 10, 1), dtype=np.float32)
    large = expected(small_network(scale=2), small)
    assert large.shape == (24, 20, 1)
    assert np.abs(large - imresize(small, 2)).mean() > 0.02
