"""Collapsible linear blocks: in training each convolution is the product of a wide convolution and a 1 x 1 convolution.

Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution" (SESR), MLSys 2022; also Zhang, Zeng, Zhang,
"Edge-oriented Convolution Block for Real-time Super Resolution" (ECBSR), ACM MM 2021, and Ding et al., "RepVGG", CVPR 2021. There
is no non-linearity inside a block, so a block is a convolution with the weight W = P K: K is the k x k convolution with
``expansion`` times as many outputs as the layer, P the 1 x 1 convolution. The network itself does not change. What changes is
the way that the optimizer takes: a step of K and P moves W differently from a step of W.

As in SESR's efficient training, the blocks are collapsed to plain weights before the convolutions of every step, so that a
step on images costs as much as that of the plain network. Here this needs no automatic differentiation: the gradient G with
respect to W gives P' G for K and G K' for P.

Two deviations from SESR: the blocks are initialized so that they collapse to the usual initialization (or to the weights of a
warm start), with K minimally changed from random values; and SESR's identity in blocks with as many outputs as inputs is
left out, because it would be a constant in W, which has no gradient and changes only the initial values.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from srcnn.model.network import SRCNN

__all__ = ["Expansion", "as_matrix"]

# Muon's steps of the two matrices, relative to that of a plain weight. With he initialization the largest singular value of mix
# is about 1 and that of wide about 2, so a step of both moves their product about as far as a plain step moves the weight.
_WIDE_SHARE, _MIX_SHARE = 0.5, 0.25
_STREAM = 0x5E5F  # distinguishes the random numbers of the blocks from those of the network with the same seed


class Expansion(nn.Module):
    """The blocks of a network, with the plain network beside them.

    Matrices: ``wide`` (expansion * outputs, kernel * kernel * inputs), in the order of channels-last weights, and ``mix``
    (outputs, expansion * outputs). Biases stay in the network.

    Args:
        network: the plain network on the CPU, initialized. The blocks collapse to its weights.
        expansion: width of a block, in multiples of the outputs of its layer.
        seed: seed of the random values.
    """

    def __init__(self, network: SRCNN, expansion: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed ^ _STREAM)
        self.wide, self.mix = nn.ParameterList(), nn.ParameterList()
        for layer in network.convolutions:
            plain = as_matrix(layer.weight.detach())
            outputs, inputs = plain.shape
            width = expansion * outputs
            # The rows of mix have a length of about 1, so that W has the variance of K's values.
            mix = torch.randn(outputs, width, generator=generator) / width**0.5
            # Rows without weights, such as those of planes without a loss in pre-training, must remain so while wide changes.
            mix *= plain.any(dim=1, keepdim=True)
            wide = torch.randn(width, inputs, generator=generator) * plain.square().mean().sqrt()
            missing = (plain - mix @ wide).double()
            # The smallest change after which mix @ wide is the plain weight.
            wide += torch.linalg.lstsq(mix.double(), missing).solution.float()
            self.wide.append(nn.Parameter(wide))
            self.mix.append(nn.Parameter(mix))

    def of_layer(self, index: int, layer: nn.Conv2d) -> list[nn.Parameter]:
        """Return the trained parameters of a layer: the block instead of the weight, and what else the layer has."""
        return [self.wide[index], self.mix[index], *(p for p in layer.parameters() if p is not layer.weight)]

    def matrix_share(self, parameter: nn.Parameter) -> float:
        """Return the factor of the learning rate with which Muon moves a parameter of a block; 1 for others."""
        if any(parameter is wide for wide in self.wide):
            return _WIDE_SHARE
        return _MIX_SHARE if any(parameter is mix for mix in self.mix) else 1.0

    def factors(self, network: SRCNN) -> dict[nn.Parameter, tuple[nn.Parameter, Tensor]]:
        """Return (mix, weight of the network) for each wide."""
        weights = [layer.weight for layer in network.convolutions]
        return {wide: (mix, weight) for wide, mix, weight in zip(self.wide, self.mix, weights, strict=True)}

    @torch.no_grad()
    def collapse(self, network: SRCNN) -> None:
        """Write the collapsed weights into the network, in place."""
        for layer, wide, mix in zip(network.convolutions, self.wide, self.mix, strict=True):
            outputs, inputs, *kernel = layer.weight.shape
            layer.weight.copy_((mix @ wide).view(outputs, *kernel, inputs).permute(0, 3, 1, 2))

    @torch.no_grad()
    def pull_back(self, network: SRCNN) -> None:
        """Set the gradients of the blocks from those of the network's weights."""
        for layer, wide, mix in zip(network.convolutions, self.wide, self.mix, strict=True):
            assert layer.weight.grad is not None
            gradient = as_matrix(layer.weight.grad)
            wide.grad, mix.grad = mix.t() @ gradient, gradient @ wide.t()

    @torch.no_grad()
    def scale_gradients(self, network: SRCNN, factor: Tensor) -> None:
        """Multiply the gradients of the network's weights, from which Muon makes the steps of ``wide``."""
        for layer in network.convolutions:
            assert layer.weight.grad is not None
            layer.weight.grad.mul_(factor)


def as_matrix(weight: Tensor) -> Tensor:
    """Return a weight (outputs, inputs, k, k) as (outputs, k * k * inputs)."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)
