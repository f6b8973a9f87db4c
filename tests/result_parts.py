"""A search's results that are invented: trials, a confirmed winner and the paper's network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from srcnn.config.training import TrainConfig
from srcnn.overlap.leaks import Leak
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.choice import Confirmed
from srcnn.tuning.whole_search.result import SearchResult

__all__ = ["LEAK", "PAPER", "ROWS", "UNJUDGED", "WINNER", "result", "row"]

LEAK = Leak("t1", "woman", "Set5", "test", 0.99, 1.0)


def row(key: str, best: float, outcome: Outcome = Outcome.FINISHED, *, seed: int = 1, **fields: Any) -> TrialResult:
    """A trial with a best objective, and twice that as its gain in dB."""
    config = TrainConfig(kernels=(9, 1, 5), filters=(64, 32), scale=fields.pop("scale", 3), seed=seed, residual=False)
    report = TrialReport(9, 9, (best,), EpochFigures(best, best, 9, 30 + 2 * best, 2 * best))
    spec = TrialSpec(config, reference=fields.pop("reference", False), label=fields.pop("label", ""))
    return TrialResult(key, spec, outcome, report, **fields)


def result(*rows: TrialResult, **fields: Any) -> SearchResult:
    bicubic = {("Set5", scale): (30.4, 0.8682) for scale in {one.config.scale for one in rows}}
    settings = SearchSettings(name="s", space="space.yaml")
    bicubic = fields.pop("bicubic", bicubic)
    return SearchResult(settings, rows, bicubic, False, 61.4, "run", "sqlite:///x.db", **fields)


ROWS = (
    row("low", 0.5, test={"Set5": (32.25, 0.9)}),
    row("stopped", 0.9, Outcome.STOPPED),
    row("high", 0.75, label="mine, of course"),
    TrialResult("dead", TrialSpec(TrainConfig(scale=2)), Outcome.FAILED, failure='DivergenceError: "nan"'),
)


WINNER = Confirmed(
    (row("w2", 0.7, seed=2, label="winner"), row("w3", 0.7, seed=3, label="winner")),
    np.array([[1.0, 2.0], [2.0, 3.0]]),
    tuple(row(f"w{seed}", 0.7, seed=seed, label="winner") for seed in (4, 5, 6)),
    np.array([[1.0, 2.0], [1.5, 2.5], [2.0, 3.0]]),
    {"Set5": np.array([[32.0, 34.0], [32.5, 34.5], [33.0, 35.0]])},
    {"Set5": 0.91},
)
PAPER = Confirmed(
    tuple(row(f"p{seed}", 0.6, seed=seed, label="paper", reference=True) for seed in (2, 3)),
    np.array([[0.5, 1.5], [1.5, 2.5]]),
    tuple(row(f"p{seed}", 0.6, seed=seed, label="paper", reference=True) for seed in (4, 5, 6)),
    WINNER.judging_gains - 0.25 if WINNER.judging_gains is not None else None,
    {"Set5": WINNER.psnr["Set5"] - 0.5},
    {"Set5": 0.9},
)
UNJUDGED = replace(WINNER, judging_trials=(), judging_gains=None, psnr={"Set5": np.array([[32.0, 34.0], [32.5, 34.5]])})
