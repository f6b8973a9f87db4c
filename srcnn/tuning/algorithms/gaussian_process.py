"""A Gaussian process over parameters, for the few hundred observations of a search.

The kernel is a sum of one Matern 5/2 kernel for each parameter and of their product: what parameters do by themselves is
learnt from few trials, what they do together from many (Duvenaud et al., "Additive Gaussian Processes", NIPS 2011). Length
scales, the weight of the product and the noise maximise the posterior density under weak log-normal priors, by a step along
each of them at every call of `fit`: a search asks often, and its data changes little from one question to the next.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "GaussianProcess"]

Array = NDArray[np.float64]

_STEP = 0.6  # of a logarithm
_OFTEN, _GROWTH = 50, 1.05  # scales are learnt at every call up to so many observations, then whenever they grew by 5 %


class GaussianProcess:
    """See the module. Points are given as one array (rows, axes) for each parameter.

    Args:
        parameters: how many there are.
    """

    def __init__(self, parameters: int) -> None:
        # logarithms: a length scale for each parameter; weight of the product; noise deviation
        self._prior = np.array([*([math.log(0.5)] * parameters), math.log(0.3), math.log(0.15)])
        self._width = np.array([*([0.8] * parameters), 1.0, 0.8])
        self._theta = self._prior.copy()
        self._learnt = 0  # observations when the logarithms were last moved

    def fit(self, places: list[Array], values: Array, noise: Array) -> None:
        """Learn from values at some points, each with a variance of its own beside the one that all share."""
        self._places, self._middle = places, float(values.mean())
        self._scale = float(values.std()) or 1.0
        self._values, self._noise = (values - self._middle) / self._scale, noise / self._scale**2
        apart = [_distance(p, p) for p in places]
        if len(values) < _OFTEN or len(values) > _GROWTH * self._learnt:
            self._learnt = len(values)
            self._learn(apart)
        self._solve(apart)

    def _learn(self, apart: list[Array]) -> None:
        """One step uphill along each logarithm; the next call goes on from there."""
        best = self._density(self._theta, apart)
        for i in range(len(self._theta)):
            for step in (_STEP, -_STEP):
                trial = self._theta.copy()
                trial[i] += step
                density = self._density(trial, apart)
                if density > best:
                    best, self._theta = density, trial
                    break

    def _kernel(self, apart: list[Array], theta: Array) -> Array:
        parts = [_matern(d / math.exp(t)) for d, t in zip(apart, theta, strict=False)]
        weight = math.exp(theta[-2])
        product = np.multiply.reduce(parts)
        return np.asarray((sum(parts) / len(parts) + weight * product) / (1 + weight))

    def _density(self, theta: Array, apart: list[Array]) -> float:
        k = self._kernel(apart, theta)
        k[np.diag_indices_from(k)] += self._noise + math.exp(2 * theta[-1])
        factor = np.linalg.cholesky(k)
        half = np.linalg.solve(factor, self._values)
        fit = -0.5 * float(half @ half) - float(np.log(np.diag(factor)).sum())
        return fit - 0.5 * float((((theta - self._prior) / self._width) ** 2).sum())

    def _solve(self, apart: list[Array]) -> None:
        k = self._kernel(apart, self._theta)
        k[np.diag_indices_from(k)] += self._noise + math.exp(2 * self._theta[-1])
        self._inverse = np.linalg.inv(k)
        self._weights = self._inverse @ self._values

    def believe(self, places: list[Array]) -> None:
        """Take points for observed at their predicted values."""
        mean, _ = self.predict(places)
        self._places = [np.vstack(pair) for pair in zip(self._places, places, strict=True)]
        self._values = np.concatenate([self._values, (mean - self._middle) / self._scale])
        self._noise = np.concatenate([self._noise, np.zeros(len(mean))])
        self._solve([_distance(p, p) for p in self._places])

    def predict(self, places: list[Array]) -> tuple[Array, Array]:
        """Mean and standard deviation at some points."""
        k = self._kernel([_distance(p, q) for p, q in zip(places, self._places, strict=True)], self._theta)
        mean = k @ self._weights
        variance = np.maximum(1e-9, 1.0 - np.einsum("ij,jk,ik->i", k, self._inverse, k, optimize=True))
        return mean * self._scale + self._middle, np.sqrt(variance) * self._scale


def _distance(a: Array, b: Array) -> Array:
    return np.asarray(np.sqrt(((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)))


def _matern(r: Array) -> Array:
    s = math.sqrt(5.0) * r
    return np.asarray((1.0 + s + s * s / 3.0) * np.exp(-s))
