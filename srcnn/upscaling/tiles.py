"""A network over one tile of an image, with the same result, bit for bit, as over the whole image; and tiles in threads.

A tile carries the receptive field around it: as many pixels of the image as the layers reach. Only where the image itself ends
do the layers pad, each its own input, with zeros or repeated edge pixels, as the configuration of the network says.

Why the bits agree. Every output pixel of a convolution is one chain of additions, over rows, columns and channels of the kernel.
With the channels last in memory oneDNN adds in the same order wherever the pixel lies and however large the tile is. There is
one exception: if the output of a layer with one input channel has fewer columns than the kernel, another routine runs.
`convolve` therefore never asks for fewer than `_LEAST` columns. One tile is computed by one thread, so the number of threads
changes nothing. Measured with torch 2.13 on a processor with AVX-512; `tests/upscaling/test_tiles.py` tries it on every other.

What makes it fast: channels last, bfloat16 (`srcnn.upscaling.precision`), tiles whose layers stay in the caches, bias and ReLU
within the convolution, and a last layer that computes blocks of pixels as channels of one convolution with a stride: oneDNN
computes sixteen channels at a time, and one output plane alone would use a sixteenth of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from srcnn.config.architecture import ModelConfig
from srcnn.model.fast_convolutions import rows
from srcnn.model.network import SRCNN
from srcnn.system.torch_internals import convolution

__all__ = ["PreparedNetwork", "Tile", "convolve", "forward", "in_threads", "pad", "prepare", "tiles"]

_LEAST = 16  # columns of a convolution's output
_SPLIT_KERNEL = 5  # larger first layers are faster in float32
_WIDE = 2  # a tile is at most this many times as wide as high
_BYTES = 2 << 20  # of a layer's output in one tile: input and output of a layer stay in the caches


class Tile(NamedTuple):
    """A part of an image: rows ``top`` to ``bottom``, columns ``left`` to ``right``, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    def grown(self, margin: int, height: int, width: int) -> Tile:
        """The tile and ``margin`` pixels around it, as far as an image of this size reaches."""
        return Tile(
            max(0, self.top - margin),
            min(height, self.bottom + margin),
            max(0, self.left - margin),
            min(width, self.right + margin),
        )


def tiles(height: int, width: int, side: int) -> list[Tile]:
    """Cut an image into tiles of at most ``side`` rows and twice as many columns, row by row."""
    high, wide = side, _WIDE * side
    return [
        Tile(top, min(top + high, height), left, min(left + wide, width))
        for top in range(0, height, high)
        for left in range(0, width, wide)
    ]


@dataclass(frozen=True)
class _Layer:
    weight: Tensor  #: channels last in memory
    bias: Tensor
    kernel: int
    block: int = 1  #: the layer computes blocks of this many by as many pixels as channels; 1: plain
    split: bool = False  #: each number of input and weights is the sum of two of bfloat16, see `_split`
    slopes: Tensor | None = None  #: of PReLU after the layer; None: ReLU


@dataclass(frozen=True)
class PreparedNetwork:
    """A network's weights in the form that `forward` takes."""

    config: ModelConfig
    layers: tuple[_Layer, ...]
    precision: str  #: fp32 or bf16

    @property
    def margin(self) -> int:
        """Pixels of context on each side of a tile, in the network's input."""
        return sum(layer // 2 for layer in self.config.kernels)

    @property
    def side(self) -> int:
        """Rows of a tile such that the layers stay in the caches."""
        size = 2 if self.precision == "bf16" else 4
        area = _BYTES / (size * max(self.config.filters))
        return max(32, int((area / _WIDE) ** 0.5) // 16 * 16)


def prepare(network: SRCNN, precision: str) -> PreparedNetwork:
    """Copy a network's weights for `forward`.

    Args:
        network: any network; it is not changed.
        precision: ``fp32``, or ``bf16`` for every layer but the first, whose input is the image, and the last, whose output is:
            eight bits of mantissa in the image cost 0.01 to 0.03 dB, in the features between less than 0.004. Biases are float32.
            A first layer with small kernels is computed in bfloat16 with twice as many bits instead.
    """

    def slopes_of(i: int, dtype: torch.dtype) -> Tensor | None:
        return network.slopes[i].detach().to("cpu", dtype) if i < len(network.slopes) else None

    prepared = []
    last = len(network.convolutions) - 1
    for i, layer in enumerate(network.convolutions):
        weight = layer.weight.detach().to("cpu", torch.float32)
        assert layer.bias is not None
        bias = layer.bias.detach().to("cpu", torch.float32)
        kernel = weight.shape[-1]
        if precision == "bf16" and i == 0 and kernel <= _SPLIT_KERNEL:
            high = weight.bfloat16()
            low = (weight - high.float()).bfloat16()
            slopes = slopes_of(i, torch.bfloat16)
            prepared.append(_Layer(rows(torch.cat([high, high, low], dim=1)), bias, kernel, split=True, slopes=slopes))
            continue
        dtype = torch.bfloat16 if precision == "bf16" and 0 < i < last else torch.float32
        block = 1
        if i == last:
            block = next((b for b in (4, 2) if b * b * len(weight) <= _LEAST), 1)
            weight, bias = _in_blocks(weight, block), bias.repeat(block * block)
        prepared.append(_Layer(rows(weight.to(dtype)), bias, kernel, block, slopes=slopes_of(i, dtype)))
    return PreparedNetwork(network.config, tuple(prepared), precision)


def _in_blocks(weight: Tensor, block: int) -> Tensor:
    """The kernel (outputs, inputs, k, k) for a convolution with stride ``block`` whose channels are (row, column, output)."""
    outputs, inputs, kernel, _ = weight.shape
    reach = kernel + block - 1
    wide = weight.new_zeros(block, block, outputs, inputs, reach, reach)
    for row in range(block):
        for column in range(block):
            wide[row, column, :, :, row : row + kernel, column : column + kernel] = weight
    return wide.view(block * block * outputs, inputs, reach, reach)


def forward(network: PreparedNetwork, x: Tensor, part: Tile, height: int, width: int) -> Tensor:
    """Apply the chain of layers to a tile, without the residual connection and without the PixelShuffle.

    Args:
        network: the layers.
        x: float32 (1, rows, columns, planes), in memory in this order: the tile and `PreparedNetwork.margin` pixels around it, as
            far as the image reaches: ``part.grown(network.margin, height, width)``.
        part: the tile of the network's input.
        height: of the image.
        width: of the image.

    Returns:
        float32 (1, rows, columns, outputs) of the tile alone; the outputs are in the order of the last layer.
    """
    seen = part.grown(network.margin, height, width)
    ends = (seen.top == 0, seen.bottom == height, seen.left == 0, seen.right == width)
    replicate = network.config.padding == "replicate"
    last = network.layers[-1]
    for layer in network.layers:
        margin = layer.kernel // 2
        if not layer.split:
            x = x.to(layer.weight.dtype) if layer is not last else x
        x = pad(x, [margin * end for end in ends], replicate=replicate)
        if layer.split:
            x = _split(x)
        if layer is not last:
            x = convolve(x, layer.weight, layer.bias, relu=layer.slopes is None)
            if layer.slopes is not None:  # oneDNN's PReLU after a convolution has one slope for all channels
                x = F.prelu(x.flatten(0, 1).flatten(1), layer.slopes.repeat(x.shape[2])).view(x.shape)
    out = _last_layer(x.float(), last)
    top = part.top - (seen.top if ends[0] else part.top)  # near an end of the image there is more than the tile
    left = part.left - (seen.left if ends[2] else part.left)
    return out[:, top : top + part.bottom - part.top, left : left + part.right - part.left].contiguous()


def _split(x: Tensor) -> Tensor:
    """Write float32 as sums of two numbers of bfloat16: the channels (high, low, high), for weights (high, high, low).

    The products are then exact to 16 bits, with additions in float32: half of float32's time for a kernel of 3x3, and the output
    needs no conversion.
    """
    high = x.bfloat16()
    return torch.cat([high, (x - high.float()).bfloat16(), high], dim=-1)


def _last_layer(x: Tensor, layer: _Layer) -> Tensor:
    block = layer.block
    height, width = x.shape[1] - layer.kernel + 1, x.shape[2] - layer.kernel + 1
    if block == 1:
        return convolve(x, layer.weight, layer.bias)
    x = pad(x, [0, -height % block, 0, -width % block])  # whole blocks; what they compute too much is cut off
    out = convolve(x, layer.weight, layer.bias, stride=block)
    _, down, across, channels = out.shape
    planes = channels // block**2
    out = out.view(down, across, block, block, planes).permute(0, 2, 1, 3, 4)
    return out.reshape(1, down * block, across * block, planes)[:, :height, :width]


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, relu: bool = False) -> Tensor:
    """Convolve (1, rows, columns, channels) without padding; the bits of a pixel do not depend on how many there are."""
    kernel = weight.shape[-1]
    width = (x.shape[2] - kernel) // stride + 1
    least = max(_LEAST, kernel)
    if width < least:
        x = pad(x, [0, 0, 0, (least - width) * stride])
    out = convolution(x.permute(0, 3, 1, 2), weight, bias, stride=stride, relu=relu)
    out = out.permute(0, 2, 3, 1)
    return out[:, :, :width].contiguous() if width < least else out


def pad(x: Tensor, sides: Sequence[int], *, replicate: bool = False) -> Tensor:
    """Extend (1, rows, columns, channels) above, below, left and right, by zeros or by repeating the edge pixels."""
    if not any(sides):
        return x
    above, below, left, right = sides
    _, height, width, channels = x.shape
    out = x.new_zeros(1, above + height + below, left + width + right, channels)
    out[:, above : above + height, left : left + width] = x
    if replicate:
        inner = out[:, above : above + height]
        inner[:, :, :left] = x[:, :, :1]
        inner[:, :, left + width :] = x[:, :, -1:]
        out[:, :above] = inner[:, :1]
        out[:, above + height :] = inner[:, -1:]
    return out


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Within the block an operation of this thread uses one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_threads(
    work: Callable[[Tile], None], parts: Sequence[Tile], threads: int | None, done: Callable[[Tile], None]
) -> None:
    """Call ``work`` for every tile, in threads of this process, and ``done`` in the caller's thread after each, in order.

    With threads=None there are as many as torch uses. After an exception or Ctrl-C no further tile is begun.
    """
    count = min(threads or torch.get_num_threads(), len(parts))
    with _one_thread_each(), torch.inference_mode():
        if count <= 1:
            for part in parts:
                work(part)
                done(part)
            return
        pool = ThreadPoolExecutor(count, "upscale", initializer=torch.set_num_threads, initargs=(1,))
        try:
            for part, _ in zip(parts, pool.map(_without_gradients(work), parts), strict=True):
                done(part)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _without_gradients(work: Callable[[Tile], None]) -> Callable[[Tile], None]:
    def run(part: Tile) -> None:
        with torch.inference_mode():  # the mode belongs to a thread
            work(part)

    return run
