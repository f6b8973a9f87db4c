"""Libraries with an ask-and-tell interface and budgets, as a searcher and a scheduler of a replay.

Such a library asks for a configuration at a number of epochs and, later, for the same configuration at more epochs. The trial is
paused after the former and continues for the latter; nothing is trained twice. When the library has no more configurations, the
paused trials continue to the end, the one with the highest value first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from srcnn.tuning.space.parameter import Value
from srcnn.tuning.trials.objective import METRIC
from srcnn.tuning.trials.report import TrialReport

__all__ = ["AskTell", "Asked", "Asker"]


@dataclass(frozen=True)
class Asked:
    """What a library asks for: a configuration and up to which epoch it is to be trained."""

    params: Mapping[str, Value]
    epochs: int
    token: Any  #: the library's own object for it


class Asker(Protocol):
    """A library as this module uses it."""

    def ask(self) -> Asked | None:
        """Return what is to be evaluated next; None if there is nothing left."""

    def tell(self, asked: Asked, objective: float | None) -> None:
        """Take the highest objective up to the epoch that was asked for; None: the training failed."""


@dataclass
class _Known:
    """A configuration that has a trial."""

    curve: tuple[float, ...] = ()
    failed: bool = False
    asked: Asked | None = None  # what the trial works on
    trial: Trial | None = None


class AskTell:
    """The searcher and the scheduler of a library, which share their state.

    Args:
        asker: the library.
        epochs: number of epochs of a full trial.
    """

    def __init__(self, asker: Asker, epochs: int) -> None:
        self._asker, self._epochs = asker, epochs
        self._known: dict[str, _Known] = {}  # by the text of the values
        self._more: deque[_Known] = deque()  # configurations whose paused trials are to continue
        self._ended = False
        self.searcher = _Searcher(self)  #: suggests new configurations, in the form of their parameters
        self.scheduler = _Scheduler(self)  #: pauses and continues trials

    def suggest(self) -> dict[str, Any] | str | None:
        """Ask the library until it wants a new configuration or a paused trial."""
        while not self._ended:
            asked = self._asker.ask()
            if asked is None:
                self._ended = True
                break
            known = self._known.get(repr(asked.params))
            if known is None:
                self._known[repr(asked.params)] = _Known(asked=asked)
                return dict(asked.params)
            if known.failed:
                self._asker.tell(asked, None)
            elif len(known.curve) >= asked.epochs:
                self._asker.tell(asked, max(known.curve[: asked.epochs]))
            else:
                known.asked = asked
                self._more.append(known)
                return None
        return str(Searcher.FINISHED)

    def report(self, trial: Trial, result: dict[str, Any]) -> str:
        """Take a report of a trial; pause the trial if it has the epochs that the library asked for."""
        report, known = TrialReport.from_json(result), self._known[repr(trial.config)]
        known.trial = trial
        if report.failed:
            known.failed = True
            if known.asked is not None:
                self._asker.tell(known.asked, None)
            return str(TrialScheduler.STOP)
        known.curve = report.curve
        asked = known.asked
        if asked is not None and report.epoch >= asked.epochs:
            known.asked = None
            self._asker.tell(asked, max(report.curve))
            return str(TrialScheduler.PAUSE)
        return str(TrialScheduler.CONTINUE)

    def choose(self) -> Trial | None:
        """Return the paused trial to continue; None if there is none, or if a new one is to start."""
        while self._more:
            trial = self._more[0].trial
            if self._more[0].asked is not None and trial is not None and trial.status == Trial.PAUSED:
                return trial
            self._more.popleft()
        if not self._ended:
            return None
        waiting = [known for known in self._known.values() if known.trial and known.trial.status == Trial.PAUSED]
        return max(waiting, key=lambda known: max(known.curve), default=_Known()).trial


class _Searcher(Searcher):  # type: ignore[misc]
    def __init__(self, both: AskTell) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._both = both

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        return self._both.suggest()

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Ignore the end of a trial, which the scheduler has told the library."""


class _Scheduler(FIFOScheduler):  # type: ignore[misc]
    def __init__(self, both: AskTell) -> None:
        super().__init__()
        self._both = both

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        return self._both.report(trial, result)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        return self._both.choose()
