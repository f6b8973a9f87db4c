"""Muon: steps along the gradient's directions, each equally long, for the layers whose weights are matrices.

Keller Jordan, "Muon: An optimizer for hidden layers in neural networks", 2024. The pixels of an image patch are nearly
equal, so its brightness outweighs its detail a thousandfold in every gradient, and Adam, which scales weight by weight,
spends its steps there. Muon replaces the averaged gradient U S V' of a layer by U V', so that detail is learnt at once.

The last layer, which has few outputs, and the biases take Adam's steps.

`torch.optim.Muon` refuses convolutions, reads a rate that lies on a GPU back to the host, which no CUDA graph can record, and
takes twice as long for a step; the networks come out alike. The comparison is in ``docs/libraries.md``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from srcnn.config.training import TrainConfig
from srcnn.model.network import SRCNN

__all__ = ["Muon", "make_optimizer", "orthogonal"]

_MOMENTUM = 0.9
_BETAS, _EPSILON = (0.9, 0.99), 1e-8  # Adam's; 0.99 rather than 0.999, since runs may last a few hundred steps
_SPECTRAL = 100.0  # length of a matrix step (its largest singular value) over that of an Adam step (any one weight)
_QUINTIC = (3.4445, -4.775, 2.0315)  # Jordan's coefficients: singular values into 0.7..1.2 in five rounds
_ROUNDS = 5


class Muon(torch.optim.Optimizer):
    """Muon for groups with ``matrix`` true, Adam for the others.

    A group's ``lr`` is the length of Adam's steps; a matrix steps a hundred times as far in its largest singular value,
    whatever its shape. So one rate suits every kernel size and width.
    """

    # torch wraps these to keep its compiler out, and the wrapper imports the compiler: two seconds of every process that
    # trains. Nothing here is compiled.
    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float) -> None:
        # "fused" tells torch's loading of a state that Adam's step counts lie where the weights lie.
        super().__init__(groups, {"lr": lr, "matrix": False, "fused": True})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["matrix"]:
                for parameter in parameters:
                    direction = _matrix_direction(parameter.grad, self.state[parameter])
                    parameter.sub_(direction.mul_(_SPECTRAL * group["lr"]))  # a number, or a tensor on a GPU
            elif parameters:
                _adam_step(parameters, [self.state[p] for p in parameters], group["lr"])


def _matrix_direction(gradient: Tensor, state: dict[str, Tensor]) -> Tensor:
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    average = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
    ahead = gradient.lerp(average, _MOMENTUM)  # Nesterov's
    return orthogonal(ahead.reshape(len(gradient), -1)).view_as(gradient)


def orthogonal(matrix: Tensor) -> Tensor:
    """U V' of a matrix U S V', roughly, by Newton and Schulz's iteration: products alone, no decomposition.

    Every round multiplies the matrix from the left with a polynomial of M M'. The polynomials commute, so they are
    gathered in a square of the shorter side, and the long matrix is read twice only.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.t()).t().contiguous()
    a, b, c = _QUINTIC
    matrix = matrix / (matrix.norm() + 1e-20)  # no division by a zero gradient
    gram = matrix @ matrix.t()
    unit = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device).mul_(a)
    gathered = matrix
    for i in range(_ROUNDS):
        factor = torch.addmm(unit.add(gram, alpha=b), gram, gram, alpha=c)
        gathered = factor if i == 0 else factor @ gathered
        if i < _ROUNDS - 1:
            gram = factor @ gram @ factor
    return gathered @ matrix


def _adam_step(parameters: list[Tensor], states: list[dict[str, Tensor]], rate: float | Tensor) -> None:
    for parameter, state in zip(parameters, states, strict=True):
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
    adam(
        parameters,
        [p.grad for p in parameters if p.grad is not None],
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [],
        [state["step"] for state in states],
        fused=True,
        amsgrad=False,
        beta1=_BETAS[0],
        beta2=_BETAS[1],
        lr=rate,
        weight_decay=0.0,
        eps=_EPSILON,
        maximize=False,
    )


def make_optimizer(config: TrainConfig, network: SRCNN) -> torch.optim.Optimizer:
    kinds: dict[tuple[float, bool], list[nn.Parameter]] = {}  # few groups: each costs as much time as all its tensors
    for i, (layer, factor) in enumerate(zip(network.convolutions, config.rates, strict=True)):
        for parameter in layer.parameters():
            matrix = config.optimizer == "muon" and parameter.dim() > 1 and i < config.depth - 1
            kinds.setdefault((factor, matrix), []).append(parameter)
    groups = [{"params": p, "factor": factor, "matrix": matrix} for (factor, matrix), p in kinds.items()]
    if config.optimizer == "muon":
        return Muon(groups, lr=config.learning_rate)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, fused=True)
    recordable = network.convolutions[0].weight.device.type != "cpu"
    return torch.optim.Adam(groups, lr=config.learning_rate, fused=True, capturable=recordable)
