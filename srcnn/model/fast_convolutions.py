"""A chain of convolutions with ReLU or PReLU between them as one autograd function, for fast training on a CPU.

The results equal those of ``F.conv2d`` and ``F.relu``. With plain autograd more than half of the time of a 9-1-5 training step
has three causes that this module avoids:

* There is no fast routine for a convolution with one to four outputs, such as the last layer of these networks: it reaches a
  tenth of the core's arithmetic rate. Here it is one matrix product of all pixels with the weights of all taps, followed
  by a sum of the resulting planes, each shifted by its tap (`few_outputs`).
* Such a layer returns gradients in another memory layout, which slows every layer before it. Here all tensors keep the
  channels-last layout.
* Autograd must not overwrite tensors that it does not own. Here the backward pass of ReLU works in place.

PReLU (He et al., ICCV 2015; see `srcnn.model.network`) needs the convolution's output in the backward pass, for the sign and for
the gradient of the slopes. The layer's own output does not give it back where a slope is zero, so both are kept: twice the memory
of the features. torch's routines take ten times as long for a value per channel as for a single value, because their inner loop
ends after the channels. Here a row of the image with all its channels is one vector, and the slopes are repeated along it
(`_across`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["FEW", "chain", "few_outputs", "rows"]

FEW = 4  # maximum number of outputs for shifted planes; from about 9 outputs the normal convolution is faster


def chain(
    x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], *, pad: bool, slopes: Sequence[Tensor] = ()
) -> Tensor:
    """Apply all layers to ``x`` (N, C, H, W), with ReLU after each but the last, or PReLU where there are ``slopes``.

    With ``pad`` each layer's input is padded with zeros to keep its size. Under autocast the layers use the autocast type.
    Gradients are computed for the weights, biases and slopes, not for ``x``.

    Args:
        x: the planes.
        weights: (outputs, inputs, k, k) of each layer, first layer first.
        biases: (outputs,) of each layer.
        pad: whether the layers keep the size.
        slopes: none, or (outputs,) of each layer but the last: the factor of its negative values.
    """
    output: Tensor = _Chain.apply(x, pad, len(weights), *weights, *biases, *slopes)  # type: ignore[no-untyped-call]
    return output


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, pad: bool, depth: int, *parameters: Tensor) -> Tensor:
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        margins = [w.shape[-1] // 2 if pad else 0 for w in parameters[:depth]]
        weights = [rows(w.to(dtype)) for w in parameters[:depth]]
        biases = [b.to(dtype) for b in parameters[depth : 2 * depth]]
        slopes = [s.to(dtype) for s in parameters[2 * depth :]]
        inputs, signed = [rows(x.to(dtype))], []
        with torch.autocast(kind, enabled=False):
            for i, (w, b, margin) in enumerate(zip(weights[:-1], biases[:-1], margins[:-1], strict=True)):
                y = F.conv2d(inputs[-1], w, b, padding=margin)
                if slopes:
                    signed.append(rows(y))
                    inputs.append(_prelu(signed[i], slopes[i]))
                else:
                    inputs.append(y.relu_())
            if len(weights[-1]) <= FEW:
                out = few_outputs(inputs[-1], weights[-1], margins[-1])
                out += parameters[2 * depth - 1].view(-1, 1, 1)
            else:
                out = F.conv2d(inputs[-1], weights[-1], biases[-1], padding=margins[-1])
        ctx.save_for_backward(*inputs, *weights, *signed, *slopes)
        ctx.margins, ctx.dtype = margins, parameters[0].dtype
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        depth = len(ctx.margins)
        inputs, weights = ctx.saved_tensors[:depth], ctx.saved_tensors[depth : 2 * depth]
        signed, slopes = ctx.saved_tensors[2 * depth : 3 * depth - 1], ctx.saved_tensors[3 * depth - 1 :]
        to_slopes: list[Tensor] = [gradients[0]] * len(slopes)
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
                if i > 0 and slopes:
                    gradient = rows(gradient)
                    to_slopes[i - 1] = _prelu_backward(gradient, signed[i - 1], slopes[i - 1])
                elif i > 0:
                    torch.ops.aten.threshold_backward.grad_input(gradient, x, 0, grad_input=gradient)
        return None, None, None, *(g.to(ctx.dtype) for g in (*to_weights, *to_biases, *to_slopes))


def _prelu(y: Tensor, slopes: Tensor) -> Tensor:
    """Return max(y, 0) + slopes min(y, 0), for ``y`` (N, C, H, W) with the channels last in memory."""
    return F.prelu(_across(y), slopes.repeat(y.shape[-1])).as_strided(y.shape, y.stride())


def _prelu_backward(gradient: Tensor, y: Tensor, slopes: Tensor) -> Tensor:
    """Replace the gradient of `_prelu`'s output, in place, by that of ``y``. Return the gradient of the slopes."""
    along, values = _across(gradient), _across(y)
    above = torch.ops.aten.threshold_backward.default(along, values, 0)
    below = along.sub_(above)  # the gradient where y <= 0, and 0 elsewhere
    to_slopes = (below * values).view(-1, len(slopes)).sum(0)  # torch adds bfloat16 in float32
    torch.addcmul(above, below, slopes.repeat(y.shape[-1]), out=along)
    return to_slopes


def _across(images: Tensor) -> Tensor:
    """Return a view (N * H, W * C) of images (N, C, H, W) with the channels last in memory."""
    n, c, h, w = images.shape
    return images.permute(0, 2, 3, 1).view(n * h, w * c)


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
