"""Searcher that suggests the trials of a given list, in order."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from srcnn.tuning.trials.objective import METRIC
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["Listed"]


class Listed(Searcher):  # type: ignore[misc]
    """Searcher that suggests given trials, in order.

    Args:
        trials: the trials to suggest.
    """

    def __init__(self, trials: Sequence[TrialSpec]) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._trials = [trial.to_tune() for trial in trials]

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next trial, or Tune's mark for the end of the list."""
        return self._trials.pop(0) if self._trials else str(Searcher.FINISHED)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Do nothing: the list does not depend on results."""

    def save(self, checkpoint_path: str) -> None:
        """Write the remaining trials."""
        Path(checkpoint_path).write_bytes(pickle.dumps(self._trials))

    def restore(self, checkpoint_path: str) -> None:
        """Read the remaining trials from a file of `save`."""
        self._trials = pickle.loads(Path(checkpoint_path).read_bytes())
