"""Copy of a search for Optuna's dashboard: a journal of Optuna in the folder of the search, with every trial that has ended.

The file is only for looking: a search is restored from Tune's snapshots, and nothing ever reads the file back into it. The
program ``optuna-dashboard`` opens it during the search and afterwards.

There is one study for each scale: the dashboard's importances and plots take all trials of a study together, and gains differ by
the scale more than by anything else. The trials of the confirmation repeat a few configurations with other seeds, so they are
left out.

Each trial is one line, appended when the trial has ended. Before its first one, the mirror reads which trials the file has. So a
trial is in it once, also after kills: an ``end`` is sent when a snapshot includes it, and after a resume the event ``restored``
comes for every trial, so that a trial that a kill kept out is appended then. A line that a kill has cut is removed first.
"""

from __future__ import annotations

import logging
import math
import queue
import shlex
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from srcnn.tuning.driver.events import Event
from srcnn.tuning.space.parameter import contains
from srcnn.tuning.trials.objective import OBJECTIVES, PAPER_GAIN
from srcnn.tuning.trials.outcome import Outcome

if TYPE_CHECKING:  # loads torch, which the watch page does without
    from srcnn.tuning.space.space import Space

__all__ = ["FILE", "OptunaMirror", "dashboard_command", "study_name"]

FILE = "optuna.journal"  #: name of the file in the folder of a search

_log = logging.getLogger(__name__)
_STATES = {
    Outcome.FINISHED: TrialState.COMPLETE,
    Outcome.STOPPED: TrialState.PRUNED,
    Outcome.FAILED: TrialState.FAIL,
}
_STALE = 1.0  # seconds after which a lock counts as left by a killed process; Optuna holds it for milliseconds
_LAST = 10.0  # seconds that the end of a search waits for the file


def study_name(search: str, scale: int) -> str:
    """Return the name of the study with a search's trials at a scale, such as ``today x3``."""
    return f"{search} x{scale}"


def dashboard_command(folder: Path) -> str:
    """Return the command that opens the copy of a search in Optuna's dashboard, for a shell."""
    return shlex.join(["optuna-dashboard", str(folder / FILE)])


class OptunaMirror:
    """Listener that appends every ended trial of a search to the file, in a thread of its own.

    An event costs microseconds, and an error while writing never disturbs the search.

    Args:
        folder: folder of the search.
        search: name of the search.
        space: its search space, for the distributions of the parameters.
        objectives: its objectives, names from `OBJECTIVES`.
    """

    def __init__(self, folder: Path, search: str, space: Space, objectives: Sequence[str] = ("gain",)) -> None:
        self._file, self._search, self._space, self._objectives = folder / FILE, search, space, tuple(objectives)
        self._began: dict[str, datetime] = {}  # first start of each trial in this process
        self._queue: queue.SimpleQueue[tuple[Event, datetime, datetime | None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True, name="optuna mirror")

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        if event.stage != "search":
            return
        if event.kind == "start":
            self._began.setdefault(event.trial_id, datetime.now())
        elif event.kind in ("end", "restored") and event.outcome in _STATES:
            if self._thread.ident is None:
                self._thread.start()
            self._queue.put((event, datetime.now(), self._began.get(event.trial_id)))

    def close(self) -> None:
        """Wait until all trials are in the file, at most ten seconds. Required at the end of the search."""
        if self._thread.ident is not None:
            self._queue.put(None)
            self._thread.join(_LAST)

    def _work(self) -> None:
        try:
            journal = _Journal(self._file, self._search, self._objectives)
            while (found := self._queue.get()) is not None:
                event, now, began = found
                if not journal.has(event.trial_id):
                    journal.append(event.spec.scale, _frozen(self._space, self._objectives, event, now, began))
        except Exception as error:  # of any library below: the search goes on without its copy
            _log.warning("%s: no further trials are copied for Optuna's dashboard (%s)", self._file, error)


class _Journal:
    """The file, opened by the only process that appends trials to it.

    Args:
        file: the file, which is created if there is none.
        search: name of the search.
        objectives: its objectives.
    """

    def __init__(self, file: Path, search: str, objectives: Sequence[str]) -> None:
        _mend(file)
        self._search, self._objectives = search, objectives
        self._storage = JournalStorage(JournalFileBackend(str(file)))
        self._studies = {
            study.study_name: optuna.load_study(study_name=study.study_name, storage=self._storage)
            for study in self._storage.get_all_studies()
        }
        self._known = {
            trial.user_attrs.get("trial_id")
            for study in self._studies.values()
            for trial in study.get_trials(deepcopy=False)
        }

    def has(self, trial_id: str) -> bool:
        return trial_id in self._known

    def append(self, scale: int, trial: FrozenTrial) -> None:
        name = study_name(self._search, scale)
        if name not in self._studies:
            self._studies[name] = self._create(name, scale)
        self._studies[name].add_trial(trial)
        self._known.add(trial.user_attrs["trial_id"])

    def _create(self, name: str, scale: int) -> optuna.Study:
        directions = [OBJECTIVES[objective].direction for objective in self._objectives]
        study = optuna.create_study(study_name=name, storage=self._storage, directions=directions)
        with suppress(
            optuna.exceptions.ExperimentalWarning
        ):  # an error where warnings are errors; names are not needed
            study.set_metric_names([_title(objective) for objective in self._objectives])
        study.set_user_attr("search", self._search)
        study.set_user_attr("scale", scale)
        return study


def _mend(file: Path) -> None:
    """Remove what a killed process left: an incomplete line, and the lock, on which Optuna would wait half a minute."""
    with suppress(FileNotFoundError):
        whole = file.read_bytes()
        if not whole.endswith(b"\n"):
            with file.open("rb+") as opened:
                opened.truncate(whole.rfind(b"\n") + 1)
    lock = file.with_name(f"{file.name}.lock")
    until = time.monotonic() + _STALE
    while lock.is_symlink() and time.monotonic() < until:
        time.sleep(0.05)
    lock.unlink(missing_ok=True)


def _title(objective: str) -> str:
    return "gain over bicubic (dB)" if objective == "gain" else OBJECTIVES[objective].title


def _frozen(
    space: Space, objectives: Sequence[str], event: Event, now: datetime, began: datetime | None
) -> FrozenTrial:
    """Return an ended trial for Optuna.

    Its gains are in dB. The scale is the same in all trials of a study, so it is an attribute and no parameter. So is a value
    outside the space, which only a trial that a person has given can have.
    """
    spec, report = event.spec, event.report
    assert event.outcome is not None, "the trial has ended"
    paper = PAPER_GAIN.get(spec.scale, 1.0)
    curve = () if report is None else tuple(value * paper for value in report.curve)
    values: list[float] | None = None
    state = _STATES[event.outcome]
    if state is TrialState.COMPLETE and report is not None:
        measured = report.values
        values = [measured.get(name, math.nan) * (paper if name == "gain" else 1.0) for name in objectives]
        if any(map(math.isnan, values)):  # a figure is missing, without which Optuna knows no complete trial
            state, values = TrialState.PRUNED, None
    attributes: dict[str, Any] = {"name": event.name, "scale": spec.scale, "reference": spec.reference}
    params = {}
    for name, value in spec.params.items():
        if name == "scale":
            continue
        if name in space.parameters and contains(space.parameters[name], value):
            params[name] = value
        else:
            attributes[f"{name} (outside the space)"] = value
    if report is not None:
        attributes |= {"epochs": f"{len(report.curve)} of {report.epochs}", "device": report.device}
    if event.failure:
        attributes["failure"] = event.failure
    attributes["trial_id"] = event.trial_id
    # A trial that started in an earlier process: the start is counted back from its time in Tune.
    seconds = 0.0 if report is None or report.seconds is None else report.seconds
    single = len(objectives) == 1  # Optuna supports curves only for one objective
    if state is TrialState.PRUNED and single and curve:
        values = [curve[-1]]  # as Optuna does for a trial that it has pruned
    return FrozenTrial(
        number=-1,  # the study gives the number
        trial_id=-1,
        state=state,
        value=None,
        values=values,
        datetime_start=began or now - timedelta(seconds=seconds),
        datetime_complete=now,
        params=params,
        distributions={name: space.parameters[name].distribution for name in params},
        user_attrs=attributes,
        system_attrs={},
        intermediate_values=dict(enumerate(curve, start=1)) if single else {},
    )
