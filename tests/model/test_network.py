"""The network: shapes, sizes as the papers count them, borders, sub-pixel order, residual, initialization."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.model import network as model
from srcnn.model.network import SRCNN, count_macs, count_parameters, weight_shapes


def network(seed: int = 0, *, double: bool = False, **fields: Any) -> SRCNN:
    config = ModelConfig(**{"kernels": (5, 1, 3), "filters": (4, 3), **fields})
    built = SRCNN(config)
    generator = torch.Generator().manual_seed(seed)
    built.initialize("he", 0.1, generator)
    with torch.no_grad():
        for layer in built.convolutions:
            assert layer.bias is not None
            layer.bias.uniform_(-0.1, 0.1, generator=generator)  # biases of zero would hide a mistake
        for slopes in built.slopes:
            slopes.uniform_(-0.5, 1.0, generator=generator)
    return built.double() if double else built


def planes(*shape: int, double: bool = False) -> torch.Tensor:
    return torch.rand(
        shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64 if double else torch.float32
    )


SIZES = [((5, 3), (4,)), ((9, 1, 5), (8, 4)), ((3, 1, 1, 3), (4, 3, 2)), ((3, 3, 1, 1, 3), (4, 4, 3, 2))]


@pytest.mark.parametrize(("kernels", "filters"), SIZES)
@pytest.mark.parametrize(
    ("upsampling", "padding", "color"),
    list(product(("bicubic", "pixel_shuffle"), ("replicate", "zeros"), ("y", "ycbcr", "rgb"))),
)
def test_output_shapes(
    kernels: tuple[int, ...], filters: tuple[int, ...], upsampling: str, padding: str, color: str
) -> None:
    factor = 3 if upsampling == "pixel_shuffle" else 1
    for residual in (False, True):
        built = network(
            kernels=kernels, filters=filters, upsampling=upsampling, padding=padding, color=color, residual=residual
        )
        channels = 1 if color == "y" else 3
        x, base = planes(2, channels, 20, 17), planes(2, channels, 20 * factor, 17 * factor)
        lost = sum(k - 1 for k in kernels) if padding == "replicate" else 0
        assert built.train()(x, base).shape == (2, channels, (20 - lost) * factor, (17 - lost) * factor)
        assert built.eval()(x, base).shape == (2, channels, 20 * factor, 17 * factor)


@pytest.mark.parametrize(("kernels", "weights"), [("9-1-5", 8032), ("9-3-5", 24416), ("9-5-5", 57184)])
def test_weights_as_the_paper_counts_them(kernels: str, weights: int) -> None:
    """TPAMI 2016, section 4.3.2; biases are 64 + 32 + 1 more."""
    config = ModelConfig(kernels=kernels)
    assert count_parameters(config, biases=False) == weights
    assert count_parameters(config) == weights + 97
    assert count_macs(config) == weights  # every weight meets every pixel once


@pytest.mark.parametrize("activation", ["relu", "prelu"])
@pytest.mark.parametrize(("upsampling", "color"), list(product(("bicubic", "pixel_shuffle"), ("y", "rgb"))))
def test_the_count_is_that_of_the_network(upsampling: str, color: str, activation: str) -> None:
    built = network(upsampling=upsampling, color=color, activation=activation)
    weights = sum(layer.weight.numel() for layer in built.convolutions)
    assert count_parameters(built.config, biases=False) == weights
    assert count_parameters(built.config) == sum(p.numel() for p in built.parameters())


def test_macs_of_a_sub_pixel_network_are_per_large_pixel() -> None:
    config = ModelConfig(upsampling="pixel_shuffle", scale=3)
    assert count_macs(config) == (81 * 64 + 64 * 32 + 25 * 32 * 9) / 9


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("upsampling", "factor"), [("bicubic", 1), ("pixel_shuffle", 3)])
def test_training_output_is_the_centre_of_the_evaluation_output(upsampling: str, factor: int, residual: bool) -> None:
    """No pixel of the unpadded output has seen the border."""
    built = network(double=True, upsampling=upsampling, residual=residual, color="ycbcr")
    x, base = planes(2, 3, 15, 13, double=True), planes(2, 3, 15 * factor, 13 * factor, double=True)
    margin = 3 * factor  # (5 + 1 + 3 - 3) / 2
    whole, centre = built.eval()(x, base), built.train()(x, base)
    torch.testing.assert_close(whole[..., margin:-margin, margin:-margin], centre, rtol=0, atol=1e-12)


def test_evaluation_repeats_the_edge_pixels_of_every_layer() -> None:
    """So a constant image gives a constant image, whatever the weights; zero padding would darken its border."""
    built = network(residual=False).eval()
    out = built(torch.full((1, 1, 9, 8), 0.7))
    torch.testing.assert_close(out, out[..., :1, :1].expand_as(out))
    zeros = network(residual=False, padding="zeros").eval()(torch.full((1, 1, 9, 8), 0.7))
    assert not torch.allclose(zeros, zeros[..., 4:5, 4:5].expand_as(zeros))


def test_zero_padding_is_the_same_in_training_and_evaluation() -> None:
    built = network(double=True, padding="zeros")
    x = planes(1, 1, 9, 8, double=True)
    torch.testing.assert_close(built.train()(x), built.eval()(x), rtol=0, atol=1e-12)


def test_convolutions_are_correlations_with_relu_between_but_not_after() -> None:
    built = network(kernels=(3, 1), filters=(1,), residual=False)
    first, second = built.convolutions
    assert first.bias is not None
    assert second.bias is not None
    with torch.no_grad():
        first.weight.zero_()
        first.weight[0, 0, 0, 2] = 1.0  # the pixel above and to the right
        first.bias.fill_(-0.5)
        second.weight.fill_(-2.0)
        second.bias.fill_(0.25)
        x = planes(1, 1, 6, 6)
        expected = 0.25 - 2.0 * (x[..., :-2, 2:] - 0.5).clamp(min=0)
        torch.testing.assert_close(built.train()(x), expected)
    assert expected.min() < 0


@pytest.mark.parametrize(("scale", "color"), list(product((2, 3, 4), ("y", "rgb"))))
def test_the_order_of_sub_pixels(scale: int, color: str) -> None:
    """Shi et al. 2016: channel c s^2 + s i + j of a small pixel is row i and column j of plane c."""
    built = network(upsampling="pixel_shuffle", scale=scale, color=color, residual=False).eval()
    last = built.convolutions[-1]
    assert last.bias is not None
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.arange(len(last.bias), dtype=torch.float32))
        out = built(planes(1, built.config.channels, 4, 5))
    for c, y, x in product(range(built.config.channels), range(4 * scale), range(5 * scale)):
        assert out[0, c, y, x] == c * scale**2 + (y % scale) * scale + x % scale


@pytest.mark.parametrize(("upsampling", "factor"), [("bicubic", 1), ("pixel_shuffle", 3)])
def test_a_residual_network_with_a_silent_last_layer_is_the_bicubic(upsampling: str, factor: int) -> None:
    built = network(upsampling=upsampling)
    with torch.no_grad():
        for weight in built.convolutions[-1].parameters():
            weight.zero_()
    x = planes(1, 1, 11, 12)
    base = planes(1, 1, 11 * factor, 12 * factor) if factor > 1 else x
    given = base if factor > 1 else None  # the input of a bicubic network is itself the base
    torch.testing.assert_close(built.eval()(x, given), base, rtol=0, atol=0)
    m = 3 * factor
    torch.testing.assert_close(built.train()(x, given), base[..., m:-m, m:-m], rtol=0, atol=0)


@pytest.mark.parametrize(("upsampling", "padding"), list(product(("bicubic", "pixel_shuffle"), ("replicate", "zeros"))))
@pytest.mark.parametrize(
    ("kernels", "filters", "activation"), [(*size, "relu") for size in SIZES] + [(*SIZES[1], "prelu")]
)
def test_strips_join_to_the_whole_image(
    kernels: tuple[int, ...],
    filters: tuple[int, ...],
    activation: str,
    upsampling: str,
    padding: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields: dict[str, Any] = {"kernels": kernels, "filters": filters, "upsampling": upsampling, "padding": padding}
    built = network(**fields, activation=activation, residual=True).eval()
    factor = 3 if upsampling == "pixel_shuffle" else 1
    for height in (1, 37, 64, 91):
        x, base = planes(2, 1, height, 13), planes(2, 1, height * factor, 13 * factor)
        with monkeypatch.context() as patch:
            patch.setitem(model._STRIP, "cpu", 10**9)
            patch.setitem(model._WIDEST, "cpu", 10**12)
            whole = built(x, base)
            patch.setitem(model._STRIP, "cpu", 1)
            torch.testing.assert_close(built(x, base), whole, rtol=0, atol=1e-6)
            patch.setitem(model._WIDEST, "cpu", 1)  # as small as the margins allow, several in a row of the wide image
            torch.testing.assert_close(built(x, base), whole, rtol=0, atol=1e-6)
            wide, wide_base = x.transpose(-1, -2), base.transpose(-1, -2)
            pieces = built(wide, wide_base)
            patch.setitem(model._WIDEST, "cpu", 10**12)
            torch.testing.assert_close(pieces, built(wide, wide_base), rtol=0, atol=1e-6)


def test_the_input_is_left_as_it_was() -> None:
    x = planes(1, 1, 12, 12)
    before = x.clone()
    network(kernels=(1, 1), filters=(2,)).eval()(x)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.parametrize("std", [0.001, 0.01])
def test_gaussian_initialization(std: float) -> None:
    built = SRCNN(ModelConfig(kernels=(9, 5, 5)))
    built.initialize("gaussian", std, torch.Generator().manual_seed(3))
    for layer in built.convolutions:
        drawn, n = layer.weight.detach().double(), layer.weight.numel()
        # Five standard errors of the mean and of the deviation of n draws.
        assert abs(float(drawn.mean())) < 5 * std / math.sqrt(n)
        assert float(drawn.std()) == pytest.approx(std, rel=5 / math.sqrt(2 * n))
        assert layer.bias is not None
        assert not layer.bias.any()


@pytest.mark.parametrize(("residual", "last_factor"), [(False, 1.0), (True, 0.1)])
def test_he_initialization(residual: bool, last_factor: float) -> None:
    built = SRCNN(ModelConfig(kernels=(9, 5, 5), residual=residual))
    built.initialize("he", 123.0, torch.Generator().manual_seed(3))
    expected = [math.sqrt(2 / 81), math.sqrt(2 / (64 * 25)), last_factor * math.sqrt(1 / (32 * 25))]
    for layer, deviation in zip(built.convolutions, expected, strict=True):
        n = layer.weight.numel()
        assert float(layer.weight.detach().double().std()) == pytest.approx(deviation, rel=5 / math.sqrt(2 * n))


def test_slopes_exist_only_with_prelu() -> None:
    plain, sloped = SRCNN(ModelConfig()), SRCNN(ModelConfig(activation="prelu"))
    assert list(plain.state_dict()) == [f"layers.{i}.{name}" for i in range(3) for name in ("weight", "bias")]
    assert list(sloped.state_dict()) == [*plain.state_dict(), "slopes.0", "slopes.1"]
    assert [slopes.tolist() for slopes in sloped.slopes] == [[0.25] * 64, [0.25] * 32]  # He et al. 2015
    assert all(torch.equal(value, sloped.state_dict()[name]) for name, value in plain.state_dict().items())


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
def test_prelu_is_torchs_in_training_and_evaluation(upsampling: str) -> None:
    """Against plain layers in float64: outputs in both modes, and every gradient."""
    built = network(double=True, activation="prelu", padding="zeros", upsampling=upsampling, residual=False)
    layers: list[torch.nn.Module] = []
    for i, layer in enumerate(built.convolutions):
        copy = torch.nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size[0], padding="same").double()
        copy.load_state_dict(layer.state_dict())
        layers.append(copy)
        if i < len(built.slopes):
            layers.append(torch.nn.PReLU(layer.out_channels).double())
            layers[-1].load_state_dict({"weight": built.slopes[i]})
    layers += [torch.nn.PixelShuffle(3)] * (upsampling == "pixel_shuffle")
    plain = torch.nn.Sequential(*layers)
    x = planes(2, 1, 12, 9, double=True)
    expected = plain(x)
    torch.testing.assert_close(built.eval()(x), expected, rtol=0, atol=1e-12)
    out = built.train()(x)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)
    expected.square().sum().backward()
    out.square().sum().backward()
    by_name: dict[str, torch.nn.Module]
    by_name = {f"layers.{i}": layer for i, layer in enumerate(m for m in layers if isinstance(m, torch.nn.Conv2d))}
    by_name |= {f"slopes.{i}": layer for i, layer in enumerate(m for m in layers if isinstance(m, torch.nn.PReLU))}
    for name, parameter in built.named_parameters():
        number, _, kind = name.rpartition(".")
        other = by_name[number].get_parameter(kind) if number in by_name else by_name[name].get_parameter("weight")
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-10, atol=1e-12)


def test_slopes_of_one_are_no_activation() -> None:
    built = network(double=True, activation="prelu", kernels=(3, 1), filters=(2,), padding="zeros", residual=False)
    with torch.no_grad():
        built.slopes[0].fill_(1.0)
        for layer in built.convolutions:
            assert layer.bias is not None
            layer.bias.zero_()
    x = planes(1, 1, 8, 8, double=True)
    torch.testing.assert_close(built.train()(-2.0 * x), -2.0 * built(x))


def test_initialization_follows_its_generator() -> None:
    a, b, c = (SRCNN(ModelConfig()) for _ in range(3))
    for built, seed in ((a, 1), (b, 1), (c, 2)):
        built.initialize("gaussian", 0.01, torch.Generator().manual_seed(seed))
    for p, q, r in zip(a.convolutions, b.convolutions, c.convolutions, strict=True):
        assert torch.equal(p.weight, q.weight)
        assert not torch.equal(p.weight, r.weight)


@pytest.mark.parametrize(
    "fields", [{}, {"activation": "prelu"}, {"upsampling": "pixel_shuffle", "scale": 4, "color": "rgb"}], ids=str
)
def test_the_shapes_of_the_weights_are_known_without_a_network(fields: dict[str, Any]) -> None:
    config = ModelConfig(**{"kernels": (3, 1, 5), "filters": (4, 3), **fields})
    assert weight_shapes(config) == {name: tuple(value.shape) for name, value in SRCNN(config).state_dict().items()}
