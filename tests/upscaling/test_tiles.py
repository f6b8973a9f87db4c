"""Tiles: their bits are those of the whole image, for every shape that oneDNN might treat in another way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.model.fast_convolutions import rows
from srcnn.model.network import SRCNN
from srcnn.upscaling.tiles import Tile, convolve, forward, in_threads, pad, prepare, tiles


def network(**fields: object) -> SRCNN:
    made = SRCNN(ModelConfig.model_validate({"scale": 2, **fields})).eval()
    with torch.no_grad():
        for layer in made.convolutions:
            assert layer.bias is not None
            layer.bias.normal_(0, 0.05, generator=torch.Generator().manual_seed(1))
        for slopes in made.slopes:
            slopes.uniform_(-0.5, 1.0, generator=torch.Generator().manual_seed(1))
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel", "stride"),
    [
        *((1, 64, 9, 1), (1, 16, 3, 1), (3, 12, 5, 1), (32, 32, 3, 1), (24, 17, 5, 1), (64, 32, 1, 1), (17, 9, 3, 1)),
        *((9, 9, 1, 1), (9, 1, 1, 1), (32, 16, 8, 4), (24, 16, 4, 2)),
    ],
)
def test_a_pixel_has_the_same_bits_in_every_cut(
    dtype: torch.dtype, inputs: int, outputs: int, kernel: int, stride: int
) -> None:
    """Also where F.conv2d takes other routines: small inputs, one input channel, few columns."""
    draw = torch.Generator().manual_seed(0)
    weight = rows(torch.randn(outputs, inputs, kernel, kernel, generator=draw)).to(dtype)
    bias = torch.randn(outputs, generator=draw)
    image = torch.rand(1, 40, 70, inputs, generator=draw).to(dtype)
    with torch.inference_mode():
        whole = convolve(image, weight, bias, stride=stride, relu=stride == 1)
        height, width = whole.shape[1:3]
        for high, wide, seed in itertools.product((1, 2, 5, height), (1, 3, 8, 15, 17, width), (0, 1)):
            if high > height or wide > width:
                continue
            top, left = seed * (height - high), seed * (width - wide)
            y, x = top * stride, left * stride
            cut = image[:, y : y + (high - 1) * stride + kernel, x : x + (wide - 1) * stride + kernel].contiguous()
            part = convolve(cut, weight, bias, stride=stride, relu=stride == 1)
            assert torch.equal(part, whole[:, top : top + high, left : left + wide]), (high, wide, top, left)


def test_a_convolution_is_torchs() -> None:
    image, weight, bias = torch.rand(1, 9, 20, 3), torch.randn(8, 3, 5, 5), torch.randn(8)
    with torch.inference_mode():
        ours = convolve(image, rows(weight), bias, relu=True)
    expected = torch.nn.functional.conv2d(image.permute(0, 3, 1, 2).double(), weight.double(), bias.double()).relu()
    assert np.allclose(ours.permute(0, 3, 1, 2), expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("padding", "activation"), [("replicate", "relu"), ("zeros", "relu"), ("zeros", "prelu")])
@pytest.mark.parametrize(
    ("upsampling", "color", "scale", "kernels"),
    [
        *(("bicubic", "y", 2, "5-1-3"), ("bicubic", "rgb", 2, "3-3"), ("pixel_shuffle", "y", 2, "3-3-5")),
        *(("pixel_shuffle", "y", 3, "3-3"), ("pixel_shuffle", "ycbcr", 2, "1-3")),
    ],
)
def test_tiled_is_whole_and_the_networks_forward(
    precision: str, padding: str, activation: str, upsampling: str, color: str, scale: int, kernels: str
) -> None:
    filters = "-".join(["18"] * kernels.count("-"))
    made = network(
        upsampling=upsampling,
        color=color,
        scale=scale,
        kernels=kernels,
        filters=filters,
        padding=padding,
        activation=activation,
        residual=False,
    )
    layers = prepare(made, precision)
    for height, width in ((1, 1), (2, 19), (23, 31)):
        image = torch.rand(1, height, width, made.config.channels, generator=torch.Generator().manual_seed(2))
        outcomes = []
        for side in (3, 7, 100):
            out = np.zeros((height, width, layers.layers[-1].bias.numel() // layers.layers[-1].block ** 2), np.float32)
            with torch.inference_mode():
                for part in tiles(height, width, side):
                    seen = part.grown(layers.margin, height, width)
                    cut = image[:, seen.top : seen.bottom, seen.left : seen.right].contiguous()
                    out[part.top : part.bottom, part.left : part.right] = forward(layers, cut, part, height, width)[0]
            outcomes.append(out)
        assert all(np.array_equal(outcomes[0], other) for other in outcomes[1:])
        if precision == "fp32":
            with torch.inference_mode():
                planes = made._layer_by_layer(image.permute(0, 3, 1, 2))  # before the PixelShuffle
            assert np.allclose(outcomes[0], planes[0].permute(1, 2, 0), atol=2e-6)


def test_tiles_cover_an_image_once() -> None:
    count = np.zeros((37, 101), int)
    for tile in tiles(37, 101, 10):
        count[tile.top : tile.bottom, tile.left : tile.right] += 1
        assert tile.bottom - tile.top <= 10
        assert tile.right - tile.left <= 20
    assert (count == 1).all()
    assert Tile(0, 10, 20, 37).grown(5, 12, 40) == Tile(0, 12, 15, 40)


@pytest.mark.parametrize("replicate", [True, False])
def test_padding_is_torchs(replicate: bool) -> None:
    image = torch.rand(1, 3, 4, 2)
    ours = pad(image, [1, 2, 3, 0], replicate=replicate)
    planes = torch.nn.functional.pad(
        image.permute(0, 3, 1, 2), (3, 0, 1, 2), mode="replicate" if replicate else "constant"
    )
    assert torch.equal(ours.permute(0, 3, 1, 2), planes)
    assert pad(image, [0, 0, 0, 0]) is image


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_every_tile_and_tell_in_order(threads: int) -> None:
    parts = tiles(20, 20, 3)
    worked: list[Tile] = []
    told: list[Tile] = []
    before = torch.get_num_threads()
    in_threads(worked.append, parts, threads, told.append)
    assert told == parts
    assert sorted(worked) == parts
    assert torch.get_num_threads() == before

    def fail(part: Tile) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        in_threads(fail, parts, threads, told.append)
    assert told == parts
