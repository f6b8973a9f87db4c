"""Gaussian process over parameters, for a few hundred observations.

The kernel is the mean of one Matern 5/2 kernel per parameter, plus their weighted product: main effects are learnt from few
trials, interactions from many (Duvenaud et al., "Additive Gaussian Processes", NIPS 2011). The hyperparameters are the length
scales, the weight of the product and the noise. They are maximum a posteriori estimates under weak log-normal priors, by
coordinate ascent with one step per hyperparameter in each call of `fit`: calls are frequent, and the data changes little
between them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "GaussianProcess"]

Array = NDArray[np.float64]

_STEP = 0.6  # step of coordinate ascent, in the logarithm of a hyperparameter
# Hyperparameters are updated in every call up to this number of observations, then each time that it has grown by 5 %.
_OFTEN, _GROWTH = 50, 1.05


class GaussianProcess:
    """Gaussian process regression; see the module's docstring. Points are one array (rows, axes) for each parameter.

    Args:
        parameters: number of parameters.
    """

    def __init__(self, parameters: int) -> None:
        # Logarithms of the length scale of each parameter, the weight of the product, the standard deviation of the noise.
        self._prior = np.array([*([math.log(0.5)] * parameters), math.log(0.3), math.log(0.15)])
        self._width = np.array([*([0.8] * parameters), 1.0, 0.8])
        self._theta = self._prior.copy()
        self._learnt = 0  # number of observations at the latest update of the hyperparameters

    def fit(self, places: list[Array], values: Array, noise: Array) -> None:
        """Fit to observations.

        Args:
            places: the points.
            values: observed values, (rows,).
            noise: variance of the noise of each value, (rows,), in addition to the common noise.
        """
        self._places, self._middle = places, float(values.mean())
        self._scale = float(values.std()) or 1.0
        self._values, self._noise = (values - self._middle) / self._scale, noise / self._scale**2
        apart = [_distance(p, p) for p in places]
        if len(values) < _OFTEN or len(values) > _GROWTH * self._learnt:
            self._learnt = len(values)
            self._learn(apart)
        self._solve(apart)

    def _learn(self, apart: list[Array]) -> None:
        """Improve each hyperparameter by at most one step; the next call continues from there."""
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
        """Add fantasy observations (kriging believer): points with their predicted means as values."""
        mean, _ = self.predict(places)
        self._places = [np.vstack(pair) for pair in zip(self._places, places, strict=True)]
        self._values = np.concatenate([self._values, (mean - self._middle) / self._scale])
        self._noise = np.concatenate([self._noise, np.zeros(len(mean))])
        self._solve([_distance(p, p) for p in self._places])

    def predict(self, places: list[Array]) -> tuple[Array, Array]:
        """Return the predicted mean and standard deviation at some points, each (rows,)."""
        k = self._kernel([_distance(p, q) for p, q in zip(places, self._places, strict=True)], self._theta)
        mean = k @ self._weights
        variance = np.maximum(1e-9, 1.0 - np.einsum("ij,jk,ik->i", k, self._inverse, k, optimize=True))
        return mean * self._scale + self._middle, np.sqrt(variance) * self._scale


def _distance(a: Array, b: Array) -> Array:
    return np.asarray(np.sqrt(((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)))


def _matern(r: Array) -> Array:
    s = math.sqrt(5.0) * r
    return np.asarray((1.0 + s + s * s / 3.0) * np.exp(-s))
