"""A chain of convolutions with ReLU between them as one autograd function, for fast training on a CPU.

The results equal those of ``F.conv2d`` and ``F.relu``. With plain autograd more than half of the time of a 9-1-5 training step
has three causes that this module avoids:

* There is no fast routine for a convolution with one to four outputs, such as the last layer of these networks: it reaches a
  tenth of the core's arithmetic rate. Here it is one matrix product of all pixels with the weights of all taps, followed
  by a sum of the resulting planes, each shifted by its tap (`few_outputs`).
* Such a layer returns gradients in another memory layout, which slows every layer before it. Here all tensors keep the
  channels-last layout.
* Autograd must not overwrite tensors that it does not own. Here the backward pass of ReLU works in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["FEW", "chain", "few_outputs", "rows"]

FEW = 4  # maximum number of outputs for shifted planes; from about 9 outputs the normal convolution is faster


def chain(x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], *, pad: bool) -> Tensor:
    """Apply all layers to ``x`` (N, C, H, W).

    With ``pad`` each layer's input is padded with zeros to keep its size. Under autocast the layers use the autocast type.
    Gradients are computed for the weights and biases, not for ``x``.
    """
    output: Tensor = _Chain.apply(x, pad, *weights, *biases)  # type: ignore[no-untyped-call]
    return output


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, pad: bool, *parameters: Tensor) -> Tensor:
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        depth = len(parameters) // 2
        margins = [w.shape[-1] // 2 if pad else 0 for w in parameters[:depth]]
        weights = [rows(w.to(dtype)) for w in parameters[:depth]]
        biases = [b.to(dtype) for b in parameters[depth:]]
        inputs = [rows(x.to(dtype))]
        with torch.autocast(kind, enabled=False):
            for w, b, margin in zip(weights[:-1], biases[:-1], margins[:-1], strict=True):
                inputs.append(F.conv2d(inputs[-1], w, b, padding=margin).relu_())
            if len(weights[-1]) <= FEW:
                out = few_outputs(inputs[-1], weights[-1], margins[-1])
                out += parameters[-1].view(-1, 1, 1)
            else:
                out = F.conv2d(inputs[-1], weights[-1], biases[-1], padding=margins[-1])
        ctx.save_for_backward(*inputs, *weights)
        ctx.margins, ctx.dtype = margins, parameters[0].dtype
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        depth = len(ctx.margins)
        inputs, weights = ctx.saved_tensors[:depth], ctx.saved_tensors[depth:]
        to_weights: list[Tensor] = [gradients[0]] * depth
        to_biases: list[Tensor] = [gradients[0]] * depth
        last = depth - 1
        dtype = inputs[0].dtype
        gradient = gradients[0].to(dtype)
        with torch.autocast(gradient.device.type, enabled=False):
            for i in range(last, -1, -1):
                x, w, margin = inputs[i], weights[i], ctx.margins[i]
                if i == last and len(w) <= FEW:
                    to_biases[i] = gradients[0].sum((0, 2, 3))
                    gradient, to_weights[i] = _few_outputs_backward(gradient, x, w, margin)
                else:
                    gradient, to_weights[i], to_biases[i] = _layer_backward(rows(gradient), x, w, margin, i > 0)
                if i > 0:
                    torch.ops.aten.threshold_backward.grad_input(gradient, x, 0, grad_input=gradient)
        return None, None, *(g.to(ctx.dtype) for g in (*to_weights, *to_biases))


def _layer_backward(gradient: Tensor, x: Tensor, w: Tensor, margin: int, inward: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients with respect to input (if ``inward``), weight and bias."""
    by_product = (
        w.shape[-1] == 1
    )  # a matrix product is 1.5 times as fast as oneDNN's weight gradient of a 1x1 convolution
    wanted = [inward, not by_product, not by_product]
    to_x, to_weight, to_bias = torch.ops.aten.convolution_backward.default(
        gradient, x, w, [len(w)], [1, 1], [margin, margin], [1, 1], False, [0, 0], 1, wanted
    )
    if by_product:
        matrix = gradient.permute(0, 2, 3, 1).reshape(-1, len(w))
        to_weight = torch.mm(matrix.t(), x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])).view_as(w)
        to_bias = matrix.sum(0)
    return to_x, to_weight, to_bias


def rows(images: Tensor) -> Tensor:
    """Return the images in channels-last memory layout with explicit channels-last strides.

    With one channel or one row the strides of both layouts are ambiguous, and torch would choose the slow one.
    """
    _, c, h, w = images.shape
    images = images.contiguous(memory_format=torch.channels_last)
    return images.as_strided(images.shape, (h * w * c, 1, w * c, c))


def few_outputs(x: Tensor, weight: Tensor, margin: int) -> Tensor:
    """Convolve ``x`` with a weight of few outputs, without bias, by a matrix product and a sum of shifted planes.

    For bfloat16 input the sum is float32.

    Pixels are numbered through all rows and images, so that a shift down and right is one offset. Positions whose shift crosses
    the end of a row are those that an unpadded convolution omits.
    """
    if margin:
        x = rows(F.pad(x, (margin,) * 4))
    n, channels, height, width = x.shape
    outputs, kernel = len(weight), weight.shape[-1]
    taps = weight.permute(0, 2, 3, 1).reshape(-1, channels)
    planes = torch.mm(taps, x.permute(0, 2, 3, 1).reshape(-1, channels).t())  # (outputs * taps, pixels)
    pixels = planes.shape[1]
    covered = pixels - (kernel - 1) * (width + 1)
    size = (outputs, kernel, kernel, covered)
    shifted = planes.as_strided(size, (kernel * kernel * pixels, kernel * pixels + width, pixels + 1, 1))
    if shifted.dtype.itemsize > 2:  # torch's sum over leading dimensions is fast for bfloat16 and slow here
        out = shifted[:, 0, 0].clone()
        for tap in range(1, kernel * kernel):
            out += shifted[:, tap // kernel, tap % kernel]
    else:
        out = shifted.sum((1, 2), dtype=torch.float32)
    size = (n, outputs, height - kernel + 1, width - kernel + 1)
    return out.as_strided(size, (height * width, covered, width, 1))


def _few_outputs_backward(gradient: Tensor, x: Tensor, weight: Tensor, margin: int) -> tuple[Tensor, Tensor]:
    """Return the gradients of `few_outputs` with respect to its input and its weight."""
    if margin:
        x = rows(F.pad(x, (margin,) * 4))
    n, channels, height, width = x.shape
    outputs, kernel = len(weight), weight.shape[-1]
    # The gradient of tap (i, j) at (row, column) is that of the output at (row - i, column - j): a negative offset,
    # or a positive one with the taps in reverse order, into the gradient in the memory layout of the input.
    most = (kernel - 1) * (width + 1)
    pixels = n * height * width
    laid = gradient.new_zeros(outputs, most + pixels)
    inner = laid[:, most:].view(outputs, n, height, width)[..., : gradient.shape[-2], : gradient.shape[-1]]
    inner.copy_(gradient.transpose(0, 1))
    planes = laid.as_strided((outputs, kernel, kernel, pixels), (most + pixels, width, 1, 1)).reshape(-1, pixels)
    taps = weight.flip(2, 3).permute(0, 2, 3, 1).reshape(-1, channels)
    to_weight = torch.mm(planes, x.permute(0, 2, 3, 1).reshape(-1, channels))
    to_weight = to_weight.view(outputs, kernel, kernel, channels).permute(0, 3, 1, 2).flip(2, 3)
    to_x = torch.mm(planes.t(), taps).view(n, height, width, channels).permute(0, 3, 1, 2)
    if margin:
        to_x = rows(to_x[..., margin:-margin, margin:-margin])
    return to_x, to_weight
