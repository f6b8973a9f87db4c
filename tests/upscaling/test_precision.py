"""Precision: bfloat16 is taken only where it is fast and leaves the PSNR alone."""

from __future__ import annotations

import pytest
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.model.network import SRCNN
from srcnn.upscaling import precision
from srcnn.upscaling.precision import TOLERANCE, bf16_loss, prepared


def network(seed: int = 0) -> SRCNN:
    made = SRCNN(ModelConfig(kernels="3-3-3", filters="16-16", scale=2, upsampling="pixel_shuffle")).eval()
    made.initialize("he", 0.0, torch.Generator().manual_seed(seed))
    return made


def dtypes(made: SRCNN, name: str) -> list[torch.dtype]:
    return [layer.weight.dtype for layer in prepared(made, name).layers]


def test_the_image_itself_has_more_bits_than_bfloat16() -> None:
    layers = prepared(network(), "bf16").layers
    assert [layer.weight.dtype for layer in layers] == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert [layer.split for layer in layers] == [True, False, False]  # 16 bits of the image in two numbers
    large = SRCNN(ModelConfig(kernels="9-1-5", filters="16-16"))
    assert dtypes(large, "bf16") == [torch.float32, torch.bfloat16, torch.float32]
    assert dtypes(network(), "fp32") == [torch.float32] * 3


def test_loss_is_small_for_a_network_and_large_for_one_that_bfloat16_ruins() -> None:
    made = network()
    with torch.no_grad():
        made.convolutions[-1].weight.mul_(0.1)
    assert 0 <= bf16_loss(made) <= TOLERANCE
    with torch.no_grad():  # a large offset in the features that the last layer takes off again
        _, middle, last = made.convolutions
        assert middle.bias is not None
        middle.bias.fill_(1000.0)
        last.weight.sub_(last.weight.mean((1, 2, 3), keepdim=True))
    assert bf16_loss(made) > TOLERANCE


@pytest.mark.parametrize(
    ("fast", "loss", "chosen"), [(True, 0.004, "bf16"), (True, 0.006, "fp32"), (False, 0.0, "fp32")]
)
def test_auto(monkeypatch: pytest.MonkeyPatch, fast: bool, loss: float, chosen: str) -> None:
    monkeypatch.setattr(precision, "_ready", {})
    monkeypatch.setattr(precision, "bf16_is_fast", lambda device: fast)
    asked = []

    def measure(made: SRCNN) -> float:
        asked.append(made)
        return loss

    monkeypatch.setattr(precision, "bf16_loss", measure)
    assert prepared(network()).precision == chosen
    assert prepared(network()) is prepared(network())
    assert len(asked) == int(fast)  # the same weights again are not measured again
    other = prepared(network(seed=1))
    assert other is not prepared(network())
    assert len(asked) == 2 * int(fast)
