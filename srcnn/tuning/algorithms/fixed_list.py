"""A searcher that suggests a given list of trials, in order."""

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
    """Suggests the trials that it was given, in order."""

    def __init__(self, trials: Sequence[TrialSpec]) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._trials = [trial.to_tune() for trial in trials]

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next one."""
        return self._trials.pop(0) if self._trials else str(Searcher.FINISHED)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing is learnt."""

    def save(self, checkpoint_path: str) -> None:
        """Write what is left."""
        Path(checkpoint_path).write_bytes(pickle.dumps(self._trials))

    def restore(self, checkpoint_path: str) -> None:
        """Read what `save` wrote."""
        self._trials = pickle.loads(Path(checkpoint_path).read_bytes())
