"""SRCNN: a chain of convolutions with ReLU or PReLU between them, with any depth, kernel sizes and widths.

Dong, Loy, He, Tang, "Learning a Deep Convolutional Network for Image Super-Resolution", ECCV 2014, and "Image
Super-Resolution Using Deep Convolutional Networks", TPAMI 2016. There are two kinds of upsampling:

* ``bicubic``, as in the papers: the input is the upscaled image, and the output has the same size;
* ``pixel_shuffle``, as in the article: the input is the small image, and the last layer outputs scale^2 channels for each
  plane, which a PixelShuffle (Shi et al., CVPR 2016) interleaves.

Optional deviations from the papers: with ``residual`` the output of the chain is added to the bicubic image; with the
activation ``prelu`` every filter has a trained slope a for negative values, max(y, 0) + a min(y, 0), which starts at 0.25
(He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from srcnn.config.architecture import ModelConfig
from srcnn.model.fast_convolutions import FEW, chain, few_outputs, rows
from srcnn.system.device import autocast

_STRIP = {"cpu": 1 << 16, "cuda": 1 << 21}  # pixels; on a CPU a strip's layers fit into the caches: twice as fast
_WIDEST = {"cpu": 1 << 20, "cuda": 1 << 23}  # the most pixels of a strip with its margins before it is cut
_SLOPE = 0.25  # initial slope of PReLU, as in He et al.

__all__ = ["SRCNN", "count_macs", "count_parameters", "weight_shapes"]


class SRCNN(nn.Module):
    """The network of a `ModelConfig`.

    ``forward(x, base)`` takes planes in [0, 1], shape (N, C, H, W):

    * in training mode with ``padding="replicate"`` the convolutions are unpadded, and the output covers the centre:
      H - border rows (times the scale for pixel_shuffle);
    * in evaluation mode the output covers the whole image, and each layer repeats the edge pixels of its input;
    * with ``padding="zeros"`` both modes pad each layer with zeros.

    ``base`` is the bicubic image, required by ``residual`` networks whose input is the small image. Networks whose input is the
    bicubic image use ``x``. The image is cropped at the centre to the size of the output.

    With ``activation="prelu"`` the list ``slopes`` has one tensor for each layer but the last, one slope per filter; else it is
    empty and adds nothing to the state dict.

    A new network is initialized with ``initialize("he", ...)`` and seed 0.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        last = config.channels * (config.scale**2 if config.upsampling == "pixel_shuffle" else 1)
        widths = (config.channels, *config.filters, last)
        # skip_init: otherwise torch would change its global random generator, which belongs to the caller.
        self.layers = nn.ModuleList(
            nn.utils.skip_init(nn.Conv2d, n_in, n_out, kernel)  # type: ignore[no-untyped-call]
            for n_in, n_out, kernel in zip(widths[:-1], widths[1:], config.kernels, strict=True)
        )
        self.slopes = nn.ParameterList(torch.empty(n) for n in (config.filters if config.activation == "prelu" else ()))
        self.initialize("he", 0.0, torch.Generator().manual_seed(0))

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """The layers, first layer first."""
        return [layer for layer in self.layers if isinstance(layer, nn.Conv2d)]

    def forward(self, x: Tensor, base: Tensor | None = None) -> Tensor:
        """Return the upscaled planes; the class docstring describes the modes."""
        if not self.training:
            out = self._by_strips(x)
        else:
            out = self._enlarged(self._train_chain(x) if x.device.type == "cpu" else self._layer_by_layer(x))
        if self.config.residual:
            image = _centre(x if base is None else base, out.shape[-2], out.shape[-1])
            out = out + image if torch.is_grad_enabled() else out.add_(image)  # a copy of a photo is large
        return out

    def _train_chain(self, x: Tensor) -> Tensor:
        weights, biases = zip(*((layer.weight, layer.bias) for layer in self.convolutions), strict=True)
        return chain(x, weights, biases, pad=self.config.padding == "zeros", slopes=tuple(self.slopes))

    def _by_strips(self, x: Tensor) -> Tensor:
        """Compute the output in strips of rows; on the whole image, the layers of a wide network may need gigabytes.

        A strip of a very wide image is cut into pieces for the same reason.
        """
        height, width = x.shape[-2:]
        margin = sum(kernel // 2 for kernel in self.config.kernels)
        kind = x.device.type if x.device.type in _STRIP else "cuda"
        step, across = max(4 * margin, _STRIP[kind] // width, 1), width
        if (step + 2 * margin) * width > _WIDEST[kind]:
            across = max(4 * margin, _WIDEST[kind] // (step + 2 * margin) - 2 * margin, 1)
        out: Tensor | None = None
        for top in range(0, height, step):
            for left in range(0, width, across):
                bottom, right = min(top + step, height), min(left + across, width)
                piece = self._piece(x, (top, bottom), (left, right), margin)
                if (bottom - top, right - left) == (height, width):
                    return piece
                scale = piece.shape[-1] // (right - left)  # 1 where the input is as large as the output
                if out is None:
                    out = piece.new_empty((*piece.shape[:-2], height * scale, width * scale))
                out[..., top * scale : bottom * scale, left * scale : right * scale] = piece
        assert out is not None
        return out

    def _piece(self, x: Tensor, rows: tuple[int, int], columns: tuple[int, int], margin: int) -> Tensor:
        """Compute the output for a part of the image from this part and ``margin`` pixels around it."""
        height, width = x.shape[-2:]
        top, bottom = max(0, rows[0] - margin), min(height, rows[1] + margin)
        left, right = max(0, columns[0] - margin), min(width, columns[1] + margin)
        cut = (left > 0, right < width, top > 0, bottom < height)
        out = self._layer_by_layer(x[..., top:bottom, left:right], cut)
        # At the edge of the image the layers pad, and nothing is lost.
        first, side = rows[0] if top == 0 else 0, columns[0] if left == 0 else 0
        out = out[..., first : first + rows[1] - rows[0], side : side + columns[1] - columns[0]]
        return self._enlarged(out)

    def _enlarged(self, out: Tensor) -> Tensor:
        return F.pixel_shuffle(out, self.config.scale) if self.config.upsampling == "pixel_shuffle" else out

    def _layer_by_layer(self, x: Tensor, cut: tuple[bool, ...] = (False,) * 4) -> Tensor:
        """Apply the layers one by one.

        ``cut`` tells whether the image continues to the left and right of ``x``, above and below it. On such a side the layers
        remove pixels instead of padding.
        """
        config = self.config
        unpadded = self.training and config.padding == "replicate"
        mode = "replicate" if config.padding == "replicate" else "constant"
        out = x
        for i, layer in enumerate(self.convolutions):
            margin = config.kernels[i] // 2
            if margin and not unpadded:
                out = F.pad(out, [0 if at else margin for at in cut], mode=mode)
            last = i == config.depth - 1
            out = self._evaluate_last(out) if last and not self.training else layer(out)
            if not last:
                out = F.prelu(out, self.slopes[i].to(out.dtype)) if self.slopes else F.relu_(out)
        return out

    def _evaluate_last(self, x: Tensor) -> Tensor:
        """Apply the last layer to padded input, in the precision of its weights even under autocast.

        Its output is the image: the eight mantissa bits of bfloat16 would add a small rounding error to a residual and a large
        one to a whole image.
        """
        layer = self.convolutions[-1]
        with autocast(x.device, enabled=False):
            x = x.to(layer.weight.dtype)
            if x.device.type != "cpu" or layer.out_channels > FEW or layer.bias is None:
                out: Tensor = layer(x)
                return out
            return few_outputs(rows(x), rows(layer.weight), 0) + layer.bias.view(-1, 1, 1)

    @torch.no_grad()
    def initialize(self, kind: str, std: float, generator: torch.Generator) -> None:
        """Draw the weights at random, set the biases to zero and the slopes to 0.25.

        The weights do not depend on the activation. He et al. divide the variance by 1 + 0.25^2 for PReLU, three per cent of the
        standard deviation, which is omitted here so that the two activations can be compared from the same weights.

        Args:
            kind: ``gaussian``: standard deviation ``std`` in all layers (0.001 in the papers, 0.01 in the article).
                ``he``: variance 2 / fan-in (He et al., ICCV 2015). The last layer has no ReLU after it, so its variance is
                1 / fan-in; in a residual network its standard deviation is a tenth of that, so that the initial output is close
                to the bicubic image.
            std: standard deviation for ``gaussian``.
            generator: random generator on the CPU.
        """
        for i, layer in enumerate(self.convolutions):
            deviation = std
            if kind == "he":
                fan_in = layer.weight[0].numel()
                last = i == self.config.depth - 1
                deviation = math.sqrt((1.0 if last else 2.0) / fan_in)
                if last and self.config.residual:
                    deviation *= 0.1
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * deviation)
            if layer.bias is not None:
                layer.bias.zero_()
        for slopes in self.slopes:
            slopes.fill_(_SLOPE)


def _centre(image: Tensor, height: int, width: int) -> Tensor:
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]


def _layer_sizes(config: ModelConfig) -> list[tuple[int, int]]:
    """Return (number of weights, number of outputs) of each layer."""
    last = config.channels * (config.scale**2 if config.upsampling == "pixel_shuffle" else 1)
    widths = (config.channels, *config.filters, last)
    return [(a * b * k * k, b) for a, b, k in zip(widths[:-1], widths[1:], config.kernels, strict=True)]


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor in the state dict of a network, by name, without building the network."""
    last = config.channels * (config.scale**2 if config.upsampling == "pixel_shuffle" else 1)
    widths = (config.channels, *config.filters, last)
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (inputs, outputs, kernel) in enumerate(zip(widths[:-1], widths[1:], config.kernels, strict=True)):
        shapes |= {f"layers.{i}.weight": (outputs, inputs, kernel, kernel), f"layers.{i}.bias": (outputs,)}
    if config.activation == "prelu":
        shapes |= {f"slopes.{i}": (filters,) for i, filters in enumerate(config.filters)}
    return shapes


def count_parameters(config: ModelConfig, *, biases: bool = True) -> int:
    """Return the number of trainable parameters: weights, biases and slopes.

    The papers count only weights (``biases=False``, without slopes too): 8032 for 9-1-5.
    """
    slopes = sum(config.filters) if biases and config.activation == "prelu" else 0
    return slopes + sum(weights + (outputs if biases else 0) for weights, outputs in _layer_sizes(config))


def count_macs(config: ModelConfig) -> float:
    """Return the number of multiply-accumulate operations per pixel of the large image."""
    per_position = sum(weights for weights, _ in _layer_sizes(config))
    return per_position / (config.scale**2 if config.upsampling == "pixel_shuffle" else 1)
