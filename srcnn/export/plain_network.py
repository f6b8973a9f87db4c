"""`PlainNetwork`: a network as plain layers from the small image to the large one, for export to other programs.

`SRCNN` in evaluation mode works in strips and has a hand-written last layer; no exporter can follow that. Here the same
weights are applied layer by layer. Bicubic upscaling, which `SRCNN` leaves to its caller, is part of the network: upscaling by a
whole number s is a convolution with s^2 outputs of 5x5 taps, interleaved by a PixelShuffle (`bicubic_kernel`), on an image whose
border is continued by mirror symmetry with the edge pixel repeated. The weights are those of `srcnn.imaging.resize.imresize`, so
the result differs from it by float32 rounding only.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from srcnn.config.architecture import ModelConfig
from srcnn.evaluation.degradation import Degraded
from srcnn.evaluation.protocol import reconstruct
from srcnn.imaging.resize import bicubic_weights, imresize
from srcnn.model.network import SRCNN

__all__ = ["BORDER", "PlainNetwork", "bicubic_kernel", "expected"]

BORDER = 2  #: pixels by which the image is continued on every side for the bicubic taps


def bicubic_kernel(scale: int) -> NDArray[np.float32]:
    """Return the weights of bicubic upscaling as a convolution, float32 (scale^2, 1, 5, 5).

    Output channel ``scale * row + column`` is the pixel at (row, column) of the block that replaces a pixel of the small image.
    """
    length = 4 * BORDER + 1
    index, weight = bicubic_weights(length, Fraction(scale))
    middle = length // 2
    taps = np.zeros((scale, 2 * BORDER + 1))
    for phase in range(scale):
        at = middle * scale + phase
        np.add.at(taps[phase], index[at] - middle + BORDER, weight[at])
    kernel = taps[:, None, :, None] * taps[None, :, None, :]  # (row phase, column phase, rows, columns)
    return kernel.reshape(scale * scale, 1, *kernel.shape[2:]).astype(np.float32)


class PlainNetwork(nn.Module):
    """The network of an `SRCNN` with bicubic upscaling inside.

    ``forward(small)`` takes planes in [0, 1], float32 (N, C, H, W), and returns (N, C, scale * H, scale * W), not clipped. The
    planes are those of ``config.color``: the luma Y for ``y``.
    """

    kernel: Tensor

    def __init__(self, network: SRCNN) -> None:
        super().__init__()
        self.config: ModelConfig = network.config
        self.layers = nn.ModuleList()
        for layer in network.convolutions:
            copy = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size[0])
            copy.load_state_dict({name: tensor.detach().cpu() for name, tensor in layer.state_dict().items()})
            self.layers.append(copy)
        self.slopes = nn.ParameterList(slopes.detach().cpu().clone() for slopes in network.slopes)
        kernel = torch.from_numpy(bicubic_kernel(self.config.scale))
        self.register_buffer("kernel", kernel.repeat(self.config.channels, 1, 1, 1))
        self.eval()

    def forward(self, small: Tensor) -> Tensor:
        """Return the large image, (N, C, scale * H, scale * W)."""
        config = self.config
        shuffled = config.upsampling == "pixel_shuffle"
        if not shuffled or config.residual:
            base = self._bicubic(small)
        out = small if shuffled else base
        for i, layer in enumerate(self.layers):
            margin = config.kernels[i] // 2
            if margin:
                mode = "replicate" if config.padding == "replicate" else "constant"
                out = F.pad(out, (margin,) * 4, mode=mode)
            out = layer(out)
            if i < config.depth - 1:
                out = F.prelu(out, self.slopes[i]) if self.slopes else F.relu(out)
        if shuffled:
            out = F.pixel_shuffle(out, config.scale)
        return out + base if config.residual else out

    def _bicubic(self, small: Tensor) -> Tensor:
        planes = F.conv2d(_mirrored(small), self.kernel, groups=self.config.channels)
        return F.pixel_shuffle(planes, self.config.scale)


def _mirrored(x: Tensor) -> Tensor:
    """Continue an image by `BORDER` pixels on every side: 1 2 3 becomes 2 1 1 2 3 3 2. One pixel is repeated."""
    x = F.pad(x, (1,) * 4, mode="replicate")
    x = torch.cat((x[:, :, 2:3], x, x[:, :, -3:-2]), dim=2)
    return torch.cat((x[..., 2:3], x, x[..., -3:-2]), dim=3)


def expected(network: SRCNN, small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the evaluation protocol computes for a small image, to compare an exported network with.

    Args:
        network: the network.
        small: planes, float32 (H, W, C), in [0, 1].

    Returns:
        float32 (scale * H, scale * W, C), not clipped.
    """
    scale = network.config.scale
    bicubic = imresize(small, scale).astype(np.float32)
    return reconstruct(network, Degraded("", small, bicubic, bicubic, scale))
