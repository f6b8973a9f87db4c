"""Collapsible blocks against two convolutions in float64, differentiated by torch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from srcnn.config.architecture import ModelConfig
from srcnn.model.network import SRCNN
from srcnn.training.expansion import Expansion, as_matrix


def network() -> SRCNN:
    built = SRCNN(
        ModelConfig(kernels=(5, 1, 3), filters=(6, 4), upsampling="pixel_shuffle", padding="zeros", residual=False)
    )
    built.initialize("he", 0.0, torch.Generator().manual_seed(3))
    return built


@pytest.mark.parametrize("expansion", [2, 8])
def test_blocks_collapse_to_the_weights_that_they_were_made_from(expansion: int) -> None:
    plain, collapsed = network(), network()
    blocks = Expansion(plain, expansion, seed=1)
    blocks.collapse(collapsed)
    for mine, theirs in zip(collapsed.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
    sizes = [(tuple(w.shape), tuple(m.shape)) for w, m in zip(blocks.wide, blocks.mix, strict=True)]
    assert sizes[0] == ((6 * expansion, 25), (6, 6 * expansion))
    assert sizes[2] == ((9 * expansion, 36), (9, 9 * expansion))


def test_blocks_are_random_beside_that() -> None:
    first, second = (Expansion(network(), 4, seed) for seed in (1, 2))
    again = Expansion(network(), 4, 1)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    for mix, wide, layer in zip(first.mix, first.wide, network().convolutions, strict=True):
        assert 0.5 < float(mix.detach().norm(dim=1).mean()) < 1.5
        assert 0.5 < float(wide.detach().std() / layer.weight.detach().std()) < 2.0


def test_gradients_are_those_of_two_convolutions() -> None:
    plain = network().double()
    blocks = Expansion(network(), 3, seed=5).double()
    blocks.collapse(plain)
    x = torch.rand(2, 1, 9, 9, generator=torch.Generator().manual_seed(0)).double()
    weight = torch.rand(2, 1, 27, 27, generator=torch.Generator().manual_seed(1)).double()
    (plain.train()(x) * weight).sum().backward()
    blocks.pull_back(plain)
    wides = [w.detach().clone().requires_grad_() for w in blocks.wide]
    mixes = [m.detach().clone().requires_grad_() for m in blocks.mix]
    out, inputs = x, 1
    for i, (layer, wide, mix) in enumerate(zip(plain.convolutions, wides, mixes, strict=True)):
        kernel = layer.kernel_size[0]
        taps = wide.view(len(wide), kernel, kernel, inputs).permute(0, 3, 1, 2)
        out = F.conv2d(F.conv2d(out, taps, padding=kernel // 2), mix[:, :, None, None], layer.bias)
        out, inputs = (out if i == 2 else out.relu()), len(mix)
    (F.pixel_shuffle(out, 3) * weight).sum().backward()  # type: ignore[no-untyped-call]
    for mine, theirs in zip([*blocks.wide, *blocks.mix], [*wides, *mixes], strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-9, atol=1e-9)


def test_a_layer_trains_its_block_and_its_bias() -> None:
    plain = network()
    blocks = Expansion(plain, 2, seed=0)
    trained = blocks.of_layer(1, plain.convolutions[1])
    assert [id(p) for p in trained] == [id(blocks.wide[1]), id(blocks.mix[1]), id(plain.convolutions[1].bias)]


def test_rows_without_weights_stay_without() -> None:
    plain = network()
    plain.convolutions[-1].weight.data[3:] = 0.0
    blocks = Expansion(plain, 2, seed=0)
    blocks.wide[-1].data.add_(1.0)
    blocks.collapse(plain)
    assert not bool(plain.convolutions[-1].weight[3:].any())
    assert bool(plain.convolutions[-1].weight[:3].any())


def test_collapsing_keeps_the_place_and_layout_of_the_weights() -> None:
    plain = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    blocks = Expansion(network(), 2, seed=0)
    before = [(w.data_ptr(), w.stride()) for w in (layer.weight for layer in plain.convolutions)]
    blocks.collapse(plain)
    assert [(w.data_ptr(), w.stride()) for w in (layer.weight for layer in plain.convolutions)] == before


def test_gradients_are_scaled_with_those_of_the_blocks() -> None:
    plain = network()
    blocks = Expansion(plain, 2, seed=0)
    plain.train()(torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))).sum().backward()
    before = [layer.weight.grad.clone() for layer in plain.convolutions if layer.weight.grad is not None]
    blocks.scale_gradients(plain, torch.tensor(0.25))
    for layer, gradient in zip(plain.convolutions, before, strict=True):
        assert layer.weight.grad is not None
        assert torch.equal(layer.weight.grad, 0.25 * gradient)


def test_a_matrix_has_the_order_of_channels_last_weights() -> None:
    weight = torch.arange(24.0).view(2, 3, 2, 2)
    assert as_matrix(weight)[1].tolist() == [12, 16, 20, 13, 17, 21, 14, 18, 22, 15, 19, 23]
    same = weight.contiguous(memory_format=torch.channels_last)
    assert as_matrix(same).data_ptr() == same.data_ptr()  # no copy
