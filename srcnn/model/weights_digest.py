"""`weights_digest`: a digest by which the weights of a network are known, wherever they are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["weights_digest"]


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, shapes and float32 values of a state dict, as 64 hexadecimal digits.

    It does not depend on the order of the names, the device, the memory layout, or the header of a file.
    """
    total = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().to("cpu", torch.float32).contiguous()
        total.update(f"{name}:{'x'.join(map(str, value.shape))};".encode())
        total.update(value.numpy().tobytes())
    return total.hexdigest()
