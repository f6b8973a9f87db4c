"""The digest of weights: what changes it, and what does not."""

from __future__ import annotations

import hashlib

import torch

from srcnn.config.architecture import ModelConfig
from srcnn.model.network import SRCNN
from srcnn.model.weights_digest import weights_digest


def test_it_is_a_sha256_over_names_shapes_and_values() -> None:
    weights = {"b": torch.tensor([1.0, 2.0]), "a": torch.zeros(1, 2)}
    expected = hashlib.sha256()
    expected.update(b"a:1x2;" + bytes(8) + b"b:2;")
    expected.update(bytes.fromhex("0000803f00000040"))  # 1 and 2 in float32, little-endian
    assert weights_digest(weights) == expected.hexdigest()


def test_order_and_memory_layout_do_not_matter_and_a_bit_does() -> None:
    network = SRCNN(ModelConfig(kernels=(3, 3), filters=(4,)))
    before = weights_digest(network.state_dict())
    there = {
        name: value.clone(memory_format=torch.channels_last)
        for name, value in network.state_dict().items()
        if value.dim() == 4
    }
    turned = dict(reversed({**network.state_dict(), **there}.items()))
    assert weights_digest(turned) == before
    with torch.no_grad():
        weight = network.convolutions[0].weight
        weight[0, 0, 0, 0] = torch.nextafter(weight[0, 0, 0, 0], torch.tensor(1.0))
    assert weights_digest(network.state_dict()) != before
