"""The plain loop: SRCNN training in the style of most public repositories, for comparison.

A DataLoader over sub-images in memory (33x33, stride 14), float32 NCHW, batch 16, Adam at 1e-4 with a tenth of it for
the last layer, zero padding that keeps the size, torch's default initialization and other defaults.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from srcnn.evaluation.degradation import Degraded
from srcnn.imaging.metrics import psnr, quantize, shave
from srcnn.training.patches import TrainingData

from _bench.machine import clock

__all__ = ["BATCH", "SIDE", "PlainLoop"]

SIDE, _STRIDE, BATCH = 33, 14, 16
_RATE = 1e-4


class PlainLoop:
    """A training run of the plain loop that can always be continued."""

    def __init__(self, kernels: Sequence[int], filters: Sequence[int], data: TrainingData, device: str) -> None:
        self._device = device
        torch.manual_seed(123)
        layers: list[nn.Module] = []
        widths = (1, *filters, 1)
        for n_in, n_out, kernel in zip(widths[:-1], widths[1:], kernels, strict=True):
            layers += [nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2), nn.ReLU()]
        self.network = nn.Sequential(*layers[:-1]).to(device)
        groups: list[dict[str, Any]] = [
            {"params": list(self.network[:-1].parameters())},
            {"params": list(self.network[-1].parameters()), "lr": _RATE / 10},
        ]
        self._optimizer = torch.optim.Adam(groups, lr=_RATE)
        self._loader = DataLoader(_patches(data), batch_size=BATCH, shuffle=True)
        self._batches = iter(self._loader)

    def _batch(self) -> list[Tensor]:
        try:
            batch: list[Tensor] = next(self._batches)
        except StopIteration:
            self._batches = iter(self._loader)
            batch = next(self._batches)
        return batch

    def run(self, seconds: float) -> tuple[int, float]:
        """Train for about ``seconds``. Return (target pixels, seconds by `clock`)."""
        pixels, started, begin = 0, time.perf_counter(), clock(self._device)
        while time.perf_counter() - started < seconds:
            x, target = (plane.to(self._device) for plane in self._batch())
            loss = F.mse_loss(self.network(x), target)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            pixels += target.numel()
        return pixels, clock(self._device) - begin

    @torch.no_grad()
    def psnr(self, image: Degraded) -> float:
        """Return the PSNR of an image with one plane by `srcnn.evaluation.protocol`, in dB."""
        x = torch.from_numpy(image.bicubic[:, :, 0].copy())[None, None].to(self._device)
        out = self.network(x)[0, 0].cpu().numpy()[:, :, None]
        return psnr(quantize(shave(image.target, image.scale)), quantize(shave(out, image.scale)))


def _patches(data: TrainingData) -> TensorDataset:
    xs, ys, start = [], [], 0
    for height, width in data.sizes.tolist():
        shape, end = (height, width), start + height * width
        x = data.bicubic[0, start:end].reshape(shape)
        y = data.target[0, start:end].reshape(shape).astype(np.float32) / 255
        start = end
        for r in range(0, height - SIDE + 1, _STRIDE):
            for c in range(0, width - SIDE + 1, _STRIDE):
                xs.append(x[r : r + SIDE, c : c + SIDE])
                ys.append(y[r : r + SIDE, c : c + SIDE])
    return TensorDataset(*(torch.from_numpy(np.stack(planes)[:, None]) for planes in (xs, ys)))
