"""Muon, an optimiser that orthogonalizes the averaged gradients of weight matrices, and the choice of the optimiser.

Keller Jordan, "Muon: An optimizer for hidden layers in neural networks", 2024. The pixels of an image patch have nearly equal
values, so the brightness of the patch dominates its detail a thousandfold in every gradient. Adam, which scales each weight
separately, spends its steps on the brightness. Muon replaces the averaged gradient U S V' of a layer by U V', so that all
directions, including detail, are learnt equally fast.

The last layer, which has few outputs, the biases and the slopes of PReLU use Adam. A collapsible block W = P K has a step for
each of its matrices. The step of the wide K is made from averaged gradients of W: then its orthogonal matrix has products of the
size of W only (`orthogonal_through`), where a Gram matrix of K would be as expensive as all convolutions.

Nothing bounds the weights that Muon moves: every step is as long as the one before, and in a long run a layer may grow more than
tenfold while the last layer shrinks. Such a network can amplify what it never saw, such as a grid of full contrast.
``weight_decay`` bounds them: decoupled weight decay (Loshchilov, Hutter, "Decoupled Weight Decay Regularization", ICLR 2019),
with Muon as in Liu et al., "Muon is Scalable for LLM Training", 2025. As a step is an orthogonal matrix of a known length,
the largest singular value of a plain layer stays below about 1 / ``weight_decay``. In a short run nothing grows that far.

`torch.optim.Muon` refuses convolutions, reads a rate that lies on a GPU back to the host, which no CUDA graph can record, and
takes twice as long for a step; the networks come out alike. The comparison is in ``docs/libraries.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from srcnn.config.training import TrainConfig
from srcnn.model.network import SRCNN
from srcnn.system.torch_internals import fused_adam, without_compiler
from srcnn.training.expansion import Expansion, as_matrix

__all__ = ["Muon", "make_optimizer", "orthogonal", "orthogonal_all", "orthogonal_through"]

_MOMENTUM = 0.9
_BETAS, _EPSILON = (0.9, 0.99), 1e-8  # of Adam; 0.99 instead of 0.999, because a run may have only a few hundred steps
_SPECTRAL = 100.0  # largest singular value of a matrix step, divided by the size of an Adam step of one weight
_QUINTIC = (3.4445, -4.775, 2.0315)  # Jordan's coefficients: bring singular values into 0.7..1.2 in five iterations
_ROUNDS = 5


class Muon(torch.optim.Optimizer):
    """Muon for parameter groups with ``matrix`` true, Adam for the others.

    Args:
        groups: parameter groups.
        lr: learning rate of groups without one.
        factors: matrices K that are the right factor of a weight W = P K in training: K to (P, W). W has a gradient, in another
            order of its values (`srcnn.training.expansion.as_matrix`).

    A step multiplies the matrices of a group by exp(-``decay`` * rate) before it moves them.

    ``lr`` of a group is the step size of Adam. The largest singular value of a matrix step is a hundred times as large, whatever
    its shape, so that one learning rate is suitable for all kernel sizes and widths.
    """

    add_param_group = without_compiler(torch.optim.Optimizer.add_param_group)
    load_state_dict = without_compiler(torch.optim.Optimizer.load_state_dict)
    state_dict = without_compiler(torch.optim.Optimizer.state_dict)

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        factors: Mapping[nn.Parameter, tuple[nn.Parameter, Tensor]] | None = None,
    ) -> None:
        # Not in the groups: loading a state would replace the parameters there by copies.
        self._factors = dict(factors or {})
        # "fused" makes load_state_dict keep Adam's step counts on the device of the weights.
        super().__init__(groups, {"lr": lr, "matrix": False, "fused": True, "decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["matrix"]:
                directions = orthogonal_all([self._ahead(p) for p in parameters if p not in self._factors])
                kept = (
                    _kept(group["decay"], group["lr"], parameters[0].device) if group["decay"] and parameters else None
                )
                for parameter in parameters:
                    if kept is not None:
                        parameter.mul_(kept)
                    if parameter in self._factors:
                        direction = orthogonal_through(self._factors[parameter][0], self._ahead(parameter))
                    else:
                        direction = next(directions).view_as(parameter)
                    parameter.sub_(direction.mul_(_SPECTRAL * group["lr"]))  # lr is a number, or a tensor on a GPU
            elif parameters:
                _adam_step(parameters, [self.state[p] for p in parameters], group["lr"])

    def _ahead(self, parameter: nn.Parameter) -> Tensor:
        """Return the averaged gradient of a weight with Nesterov momentum as a matrix; of a factor, that of its product."""
        gradient = parameter.grad
        if parameter in self._factors:
            product = self._factors[parameter][1]
            assert product.grad is not None
            gradient = as_matrix(product.grad)
        assert gradient is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        average = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
        return gradient.lerp(average, _MOMENTUM).reshape(len(gradient), -1)


def _kept(decay: float, rate: float | Tensor, device: torch.device) -> Tensor:
    """Return the factor of a step; 1 - decay * rate would be negative in a very short run.

    In float32 also where the rate is a number, so that plain and recorded steps are bit-identical.
    """
    return torch.exp(torch.as_tensor(rate, dtype=torch.float32, device=device) * -decay)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return approximately U V' of a matrix U S V', by the Newton-Schulz iteration: only products, no decomposition.

    Every iteration multiplies the matrix from the left by a polynomial of M M'. The polynomials commute, so they are first
    multiplied with each other as square matrices of the shorter side, and the long matrix is used only twice.
    """
    return next(orthogonal_all([matrix]))


def orthogonal_all(matrices: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yield `orthogonal` of every matrix.

    Those with equal shorter sides are iterated together. For 32 filters it takes twenty small products, and calling them
    takes longer than computing them.
    """
    wide = [matrix.t() if matrix.shape[0] > matrix.shape[1] else matrix for matrix in matrices]
    wide = [matrix / (matrix.norm() + 1e-20) for matrix in wide]  # avoids a division by zero if the gradient is zero
    found: list[Tensor] = list(wide)
    for side in {len(matrix) for matrix in wide}:
        at = [i for i, matrix in enumerate(wide) if len(matrix) == side]
        grams = [wide[i] @ wide[i].t() for i in at]
        polynomials = _newton_schulz(torch.stack(grams)).unbind() if len(at) > 1 else [_newton_schulz(grams[0])]
        for i, polynomial in zip(at, polynomials, strict=True):
            found[i] = polynomial @ wide[i]
    for matrix, result in zip(matrices, found, strict=True):
        yield result if result.shape == matrix.shape else result.t().contiguous()


def orthogonal_through(left: Tensor, matrix: Tensor) -> Tensor:
    """Return ``orthogonal(left.t() @ matrix)`` with square matrices of the size of ``len(matrix)``, however wide ``left`` is.

    With X = L' M the iteration's X X' X is L' (M M' L L') M. So all polynomials are those of the square matrix M M' L L', and
    L' is multiplied once, at the end.
    """
    outer = left @ left.t()
    gram = matrix @ matrix.t()
    size = (outer * gram).sum().clamp_(min=0).sqrt() + 1e-20  # Frobenius norm of the product
    return left.t() @ (_newton_schulz(gram @ outer / size.square()) @ matrix).div_(size)


def _newton_schulz(gram: Tensor) -> Tensor:
    """Return the product of the polynomials of all rounds, for the matrix M M' of the first; or for (layers, n, n) of them."""
    add_product, multiply = (torch.addmm, torch.mm) if gram.dim() == 2 else (torch.baddbmm, torch.bmm)
    a, b, c = _QUINTIC
    unit = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device).mul_(a)
    gathered = unit
    for i in range(_ROUNDS):
        factor = add_product(unit.add(gram, alpha=b), gram, gram, alpha=c)
        gathered = factor if i == 0 else multiply(factor, gathered)
        if i < _ROUNDS - 1:
            gram = multiply(multiply(factor, gram), factor)
    return gathered


def _adam_step(parameters: list[Tensor], states: list[dict[str, Tensor]], rate: float | Tensor) -> None:
    for parameter, state in zip(parameters, states, strict=True):
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
    fused_adam(
        parameters,
        [p.grad for p in parameters if p.grad is not None],
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [state["step"] for state in states],
        rate=rate,
        betas=_BETAS,
        epsilon=_EPSILON,
    )


def make_optimizer(config: TrainConfig, network: SRCNN, expansion: Expansion | None = None) -> torch.optim.Optimizer:
    """Return the optimiser of a configuration for the parameters of a network, in groups of equal ``factor`` and ``matrix``.

    With ``expansion`` the parameters of its blocks take the place of the network's weights.
    """
    kinds: dict[tuple[float, bool, float], list[nn.Parameter]] = {}  # few groups, because each group adds overhead
    decay = config.weight_decay * _SPECTRAL  # of the length of a step, which is in proportion to the rate
    for i, (layer, factor) in enumerate(zip(network.convolutions, config.rates, strict=True)):
        own = layer.parameters() if expansion is None else expansion.of_layer(i, layer)
        for parameter in (*own, *network.slopes[i : i + 1]):
            matrix = config.optimizer == "muon" and parameter.dim() > 1 and i < config.depth - 1
            share = expansion.matrix_share(parameter) if matrix and expansion is not None else 1.0
            # Both matrices of a block decay at half the pace, so their product at the pace of a plain weight.
            own_decay = 0.0 if not matrix else decay if expansion is None else decay / (2 * share)
            kinds.setdefault((factor * share, matrix, own_decay), []).append(parameter)
    groups = [{"params": p, "factor": f, "matrix": m, "decay": d} for (f, m, d), p in kinds.items()]
    if config.optimizer == "muon":
        return Muon(groups, config.learning_rate, expansion.factors(network) if expansion is not None else None)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, fused=True)
    recordable = network.convolutions[0].weight.device.type != "cpu"
    return torch.optim.Adam(groups, lr=config.learning_rate, fused=True, capturable=recordable)
