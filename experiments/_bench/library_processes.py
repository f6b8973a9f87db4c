"""This project's Gaussian process beside scikit-learn's and GPyTorch's, in the sampler that uses it. For docs/libraries.md.

    PYTHONPATH=experiments python -m _bench.library_processes experiments/results/library-processes.json

GPyTorch (1.15 was tried) is no dependency of the project; install it to include it, or give ``--arms ours,scikit-learn``.

- GPyTorch's has the model of ours, kernel and priors, and learns it by 50 steps of Adam, from where it was.
- scikit-learn's offers no priors and no kernel on some of the columns: one Matern 5/2 kernel with a length scale for every
  axis, and a common noise beside each observation's own, learnt by L-BFGS from where they were.

All three learn at the same calls. Timed are calls of ``fit`` and ``predict`` at 400 candidates; replayed are whole searches.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import sys
import time
import warnings
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

import srcnn.tuning.algorithms.curve_sampler as sampler_module
from srcnn.system.atomic_file import atomic_write
from srcnn.tuning.algorithms.gaussian_process import Array, GaussianProcess
from srcnn.tuning.curves.curve_table import read_table
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.figures import SHARES, Replayed, plain, table_data
from srcnn.tuning.replay.methods import METHODS
from srcnn.tuning.replay.simulator import replay

from _bench.provenance import header
from _bench.record import summary

_TABLES = ("experiments/results/grid-x3.csv.gz", "experiments/results/grid-deep-x4.csv.gz")
_SIZES = (10, 50, 100, 200, 400)
_CANDIDATES = 400
_OFTEN, _GROWTH = 50, 1.05  # as in srcnn.tuning.algorithms.gaussian_process: when scales are learnt
_ADAM_STEPS = 50


class _Library:
    """What the three have in common: standard values, and when to learn."""

    def __init__(self, parameters: int) -> None:
        self._parameters, self._learnt = parameters, 0

    def fit(self, places: list[Array], values: Array, noise: Array) -> None:
        self._middle, self._scale = float(values.mean()), float(values.std()) or 1.0
        self._x, self._y = np.hstack(places), (values - self._middle) / self._scale
        self._noise = noise / self._scale**2
        self._widths = [place.shape[1] for place in places]
        learn = len(values) < _OFTEN or len(values) > _GROWTH * self._learnt
        if learn:
            self._learnt = len(values)
        self._solve(learn)

    def believe(self, places: list[Array]) -> None:
        mean, _ = self.predict(places)
        self._x = np.vstack([self._x, np.hstack(places)])
        self._y = np.concatenate([self._y, (mean - self._middle) / self._scale])
        self._noise = np.concatenate([self._noise, np.zeros(len(mean))])
        self._solve(False)

    def predict(self, places: list[Array]) -> tuple[Array, Array]:
        mean, variance = self._predict(np.hstack(places))
        return mean * self._scale + self._middle, np.sqrt(np.maximum(variance, 1e-9)) * self._scale

    def _solve(self, learn: bool) -> None:
        raise NotImplementedError

    def _predict(self, x: Array) -> tuple[Array, Array]:
        raise NotImplementedError


class ScikitLearn(_Library):
    """`sklearn.gaussian_process.GaussianProcessRegressor`."""

    _kernel: Any = None

    def _solve(self, learn: bool) -> None:
        if self._kernel is None:
            axes = self._x.shape[1]
            self._kernel = Matern([0.5] * axes, (0.05, 10.0), nu=2.5) + WhiteKernel(0.02, (1e-4, 1.0))
        optimizer = "fmin_l_bfgs_b" if learn else None
        self._model = GaussianProcessRegressor(self._kernel, alpha=self._noise + 1e-8, optimizer=optimizer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a length scale at its bound
            self._model.fit(self._x, self._y)
        self._kernel = self._model.kernel_

    def _predict(self, x: Array) -> tuple[Array, Array]:
        mean, deviation = self._model.predict(x, return_std=True)
        return mean, deviation**2 - self._kernel.k2.noise_level


class GPyTorch(_Library):
    """`gpytorch.models.ExactGP` with the kernel and the priors of ours."""

    _model: Any = None

    def _make(self) -> None:
        g = importlib.import_module("gpytorch")
        operator = importlib.import_module("linear_operator").to_linear_operator
        ends = np.cumsum([0, *self._widths])
        parts = []
        for low, high in pairwise(ends.tolist()):
            one = g.kernels.MaternKernel(2.5, active_dims=tuple(range(low, high)))
            one.lengthscale = 0.5
            parts.append(one)

        class Model(g.models.ExactGP):  # type: ignore[misc, name-defined]
            def __init__(self, x: Any, y: Any, likelihood: Any) -> None:
                super().__init__(x, y, likelihood)
                self.parts = torch.nn.ModuleList(parts)
                self.weight = torch.nn.Parameter(torch.tensor(math.log(0.3), dtype=torch.float64))

            def forward(self, x: Any) -> Any:
                kernels = [part(x).to_dense() for part in self.parts]
                weight = self.weight.exp()
                product = torch.stack(kernels).prod(0)
                k = (sum(kernels) / len(kernels) + weight * product) / (1 + weight)
                # An operator: of a plain tensor GPyTorch would take the root, without the noise.
                return g.distributions.MultivariateNormal(torch.zeros(len(x), dtype=x.dtype), operator(k))

        noise = torch.from_numpy(self._noise.clip(1e-4))
        likelihood = g.likelihoods.FixedNoiseGaussianLikelihood(noise, learn_additional_noise=True)
        self._model = Model(torch.from_numpy(self._x), torch.from_numpy(self._y), likelihood).double()
        self._likelihood, self._g = likelihood.double(), g
        likelihood.second_noise = 0.15**2

    def _log_priors(self) -> Any:
        scales = torch.stack([part.lengthscale.squeeze() for part in self._model.parts]).log()
        noise = 0.5 * self._likelihood.second_noise.log()
        found = (((scales - math.log(0.5)) / 0.8) ** 2).sum() + ((self._model.weight - math.log(0.3)) / 1.0) ** 2
        return -0.5 * (found + ((noise - math.log(0.15)) / 0.8) ** 2).sum()

    def _solve(self, learn: bool) -> None:
        if self._model is None:
            self._make()
        self._model.set_train_data(torch.from_numpy(self._x), torch.from_numpy(self._y), strict=False)
        self._likelihood.noise_covar.noise = torch.from_numpy(self._noise.clip(1e-4))
        if learn:
            self._model.train()
            self._likelihood.train()
            density = self._g.mlls.ExactMarginalLogLikelihood(self._likelihood, self._model)
            parameters = list(self._model.parameters())  # the likelihood's too, which is a part of the model
            adam = torch.optim.Adam(parameters, lr=0.1)
            for _ in range(_ADAM_STEPS):
                adam.zero_grad()
                # The likelihood is a mean over the observations, and without GPyTorch's own terms for the priors.
                loss = -(density(self._model(*self._model.train_inputs), self._model.train_targets)) * len(self._y)
                (loss - self._log_priors()).backward()
                adam.step()
        self._model.eval()
        self._likelihood.eval()

    def _predict(self, x: Array) -> tuple[Array, Array]:
        with torch.no_grad(), self._g.settings.fast_pred_var():
            found = self._model(torch.from_numpy(x))
            return found.mean.numpy(), found.variance.numpy()


ARMS: dict[str, Any] = {"ours": GaussianProcess, "scikit-learn": ScikitLearn, "GPyTorch": GPyTorch}


def _times(arms: list[str], rounds: int = 5) -> dict[str, dict[str, Any]]:
    """Milliseconds of a processor for one call of ``fit`` and ``predict``, with scales learnt in it and without."""
    table = read_table(Path(_TABLES[0]))
    axes = sampler_module.Axes(table.space)
    source = np.random.default_rng(0)
    rows = [p for p, curves in zip(table.params, table.curves, strict=True) for _ in curves]
    gains = np.array([max(c.objective) for curves in table.curves for c in curves])
    found: dict[str, dict[str, Any]] = {}
    for n in _SIZES:
        chosen = source.permutation(len(rows))[:n]
        places, values = axes.places([rows[i] for i in chosen]), gains[chosen]
        candidates = axes.places([rows[i] for i in source.integers(len(rows), size=_CANDIDATES)])
        noise = np.where(np.arange(n) % 2, 0.0, 0.01 * values.var())
        for name in arms:
            learning: list[float] = []
            plain_calls: list[float] = []
            for _ in range(rounds):
                process = ARMS[name](len(places))
                for times, again in ((learning, False), (plain_calls, True)):
                    process._learnt = n if again and n >= _OFTEN else 0
                    started = time.process_time()
                    process.fit(places, values, noise)
                    process.predict(candidates)
                    times.append((time.process_time() - started) * 1e3)
            line = {"learning": summary(learning)}
            if n >= _OFTEN:  # below, every call learns
                line["without"] = summary(plain_calls)
            found.setdefault(str(n), {})[name] = line
            print(n, name, {k: round(v["median"], 2) for k, v in line.items()}, flush=True)
    return found


def _replays(arms: dict[str, int], workers: list[int]) -> list[dict[str, Any]]:
    """Whole searches on each table; repetitions with the same seeds see the same runs."""
    found = []
    for file in _TABLES:
        table = read_table(Path(file))
        truth = TableTruth.of(table)
        one: dict[str, Any] = {}
        replayed = Replayed(file, table, truth)
        for count in workers:
            for name, repetitions in arms.items():
                started = time.process_time()
                with mock.patch.object(sampler_module, "GaussianProcess", ARMS[name]):
                    traces = [replay(table, METHODS["ours"], count, seed, truth=truth) for seed in range(repetitions)]
                seconds = time.process_time() - started
                replayed.traces[name, count] = traces
                line = asdict(replayed.summary(name, count))
                line["milliseconds_per_trial"] = seconds * 1e3 / sum(trace.trials for trace in traces)
                one[f"{name}, {count} workers"] = line
                regrets = [round(r[0], 3) for r in line["regret"]]
                print(file, name, count, regrets, line["compute"], line["milliseconds_per_trial"], flush=True)
        found.append({**table_data(replayed), "shares": SHARES, "figures": one})
    return found


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path)
    parser.add_argument("--arms", default="ours=40,scikit-learn=20,GPyTorch=8", help="with their repetitions")
    parser.add_argument("--workers", default="1,8")
    options = parser.parse_args()
    arms = {name: int(count) for name, _, count in (part.partition("=") for part in options.arms.split(","))}
    about = header("", [], ", ".join(f"{name} {count}" for name, count in arms.items()), 0)
    about["command"] = " ".join(["PYTHONPATH=experiments python -m _bench.library_processes", *sys.argv[1:]])
    torch.set_num_threads(1)
    workers = [int(count) for count in options.workers.split(",")]
    result = {"provenance": about, "milliseconds": _times(list(arms)), "replays": _replays(arms, workers)}
    with atomic_write(options.json) as file:
        file.write_text(json.dumps(plain(result), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
