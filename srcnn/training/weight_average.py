"""Exponential moving average of the weights of a run, whose networks are validated and saved instead of the last ones.

Polyak, Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM J. Control Optim. 1992; in the exponential form
as in Tarvainen, Valpola, "Mean teachers are better role models", NeurIPS 2017.

The horizon H is given as a fraction of the run, so that it means the same with every budget. Update t, counted from 0, moves
the average towards the weights by the fraction max(1 / H, 10 / (10 + t)). The first update copies the weights, so the initial
weights have no part in the average. Until the horizon is reached, the average covers about the last tenth of the steps; this
growth is that of TensorFlow's ``ExponentialMovingAverage`` with ``num_updates``.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from srcnn.model.network import SRCNN

__all__ = ["WeightAverage"]

_GROWTH = 10.0  # the horizon is (10 + t) / 10 steps after t updates, until it reaches H


class WeightAverage:
    """The average of the weights of a network in training, on its device.

    Args:
        network: the network in training.
        horizon: horizon H in steps, at least 1.
    """

    def __init__(self, network: SRCNN, horizon: float) -> None:
        self._source = network
        self._least = 1.0 / max(1.0, horizon)
        device = next(network.parameters()).device
        #: the network of the averaged weights
        self.network = SRCNN(network.config).requires_grad_(False)
        self.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.load_state_dict(network.state_dict())
        self._updates = torch.zeros((), device=device)  # on the device, because a recorded step counts there

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the average. Changes its tensors in place, without waiting for the device."""
        share = (_GROWTH / (self._updates + _GROWTH)).clamp_(min=self._least)
        for average, weight in zip(self.network.parameters(), self._source.parameters(), strict=True):
            average.lerp_(weight, share)
        self._updates += 1

    def changes(self) -> dict[str, Tensor]:
        """Return the tensors that `update` changes, by name. The names of weights begin with ``weight``."""
        averages = {f"weight average.{name}": value for name, value in self.network.named_parameters()}
        return {**averages, "updates of the average": self._updates}

    def restore(self, weights: Mapping[str, Tensor], updates: int) -> None:
        """Go on from the averaged weights after a number of updates."""
        self.network.load_state_dict(weights)
        self._updates.fill_(updates)
