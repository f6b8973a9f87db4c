"""A search as a state machine: what may happen to it, in any order, against its real parts; Ray's loop is stood in for.

The searcher, the scheduler, the callback, the journal, the snapshots, the tracker with an MLflow store in SQLite, the copy for
Optuna's dashboard and the live file are real (`_faults.driver`). After every step, what a resumed search would find must agree.
`HYPOTHESIS_PROFILE=long` runs many more examples than the suite.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from srcnn.errors import SearchError
from srcnn.tuning.driver.cluster import be_quiet
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.optuna_mirror import FILE
from srcnn.tuning.driver.snapshot import newest_snapshot, stage_trials
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.journal import unsent
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.consistency import open_books, verify

from _faults.driver import EPOCHS, NAME, SPACE, Driver

_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
_WRITES = ("create_run", "log_batch", "log_inputs", "log_artifact", "log_text", "set_terminated", "update_run")
_TRIALS = 4


class _Store:
    """Whether the server answers; the methods of MLflow's client that write ask it."""

    away = False


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """A server that can be away, and that says so as MLflow's client does."""
    before = {name: getattr(MlflowClient, name) for name in _WRITES}

    def asked(name: str) -> Any:
        def call(self: MlflowClient, *given: Any, **named: Any) -> Any:
            if _Store.away:
                raise MlflowException("API request failed: connection refused")
            return before[name](self, *given, **named)

        return call

    for name in _WRITES:
        setattr(MlflowClient, name, asked(name))
    yield
    for name, method in before.items():
        setattr(MlflowClient, name, method)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables, which take seconds to make."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


class Search(RuleBasedStateMachine):
    """The rules: what a search does, and what befalls it."""

    empty: Path  # a store with its tables

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="srcnn-states-"))
        self.driver: Driver | None = None
        self.limit, self.ended = _TRIALS, False
        self.ends: Counter[str] = Counter()  # end events of each trial in the present process
        self.told: set[str] = set()  # trials whose end a durable snapshot includes
        self.curves: dict[str, tuple[float, ...]] = {}  # the longest durable curve of each configuration

    def teardown(self) -> None:
        _Store.away = False
        try:
            if self.driver is not None:
                self.kill()
            if self.curves:  # whatever happened, the search can be finished, and all stores agree
                self.resume()
                assert self.driver is not None
                self.driver.go_on()
                self.driver = None
                books = open_books(NAME, self.folder / "mlruns/ray", f"sqlite:///{self.folder / 'mlflow.db'}")
                assert [f"{one.kind}: {one.text}" for one in verify(books)] == []
                assert len(books.runs) == len({run.data.tags[names.TAG_TRIAL] for run in books.runs})
                self._check_mirror(len(books.trials))
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _check_mirror(self, trials: int) -> None:
        storage = JournalStorage(JournalFileBackend(str(self.folder / "mlruns/ray" / NAME / FILE)))
        copied = [
            trial.user_attrs["trial_id"]
            for study in optuna.get_all_study_names(storage)
            for trial in optuna.load_study(study_name=study, storage=storage).get_trials(deepcopy=False)
        ]
        assert len(copied) == len(set(copied)) == trials

    def _hear(self, event: Event) -> None:
        if event.kind == "end":
            self.ends[event.trial_id] += 1

    @initialize()
    def begin(self) -> None:
        (self.folder / "space.yaml").write_text(SPACE, encoding="utf-8")
        shutil.copy(self.empty, self.folder / "mlflow.db")
        self.resume()

    # What a search does.

    @precondition(lambda self: self.driver is not None and self.driver.running is None)
    @rule()
    def start(self) -> None:
        assert self.driver is not None
        self.driver.start()

    @precondition(lambda self: self.driver is not None and self.driver.running is not None)
    @rule()
    def report(self) -> None:
        assert self.driver is not None and self.driver.running is not None
        self.driver.report(self.driver.running)

    @precondition(lambda self: self.driver is not None and self.driver.running is not None)
    @rule()
    def fail(self) -> None:
        assert self.driver is not None and self.driver.running is not None
        self.driver.report(self.driver.running, fails=True)

    @precondition(lambda self: self.driver is not None)
    @rule(writes=st.booleans())
    def step(self, writes: bool) -> None:
        assert self.driver is not None
        self.driver.step_end(writes=writes and bool(self.driver.trials))

    @precondition(lambda self: self.driver is not None and self.driver.over)
    @rule()
    def finish(self) -> None:
        assert self.driver is not None
        _Store.away = False
        self.driver.finish()
        self.driver, self.ended = None, True

    # What befalls it.

    @precondition(lambda self: self.driver is not None and self.driver.running is not None)
    @rule()
    def lose_a_worker(self) -> None:
        assert self.driver is not None and self.driver.running is not None
        self.driver.lose(self.driver.running)

    @precondition(lambda self: self.driver is not None)
    @rule()
    def kill(self) -> None:
        """The driver dies: its threads send nothing more, and what is in memory is lost."""
        driver = self.driver
        assert driver is not None
        sender = driver.tracker._sender
        assert sender is not None and driver.tracker._journal is not None
        sender.close()
        driver.mirror.close()
        driver.tracker._journal.close()
        self.driver = None

    @precondition(lambda self: self.driver is not None)
    @rule()
    def interrupt(self) -> None:
        """Ctrl-C: Tune writes its state, and the search is closed in good order."""
        assert self.driver is not None
        _Store.away = False
        self.driver.finish("KILLED")
        self.driver = None

    @precondition(lambda self: self.driver is None)
    @rule()
    def resume(self) -> None:
        self.ends.clear()
        if _Store.away:
            with pytest.raises(SearchError, match=r"tracking-uri: .* cannot be opened: API request failed"):
                Driver(self.folder, self.limit)
            return
        self.driver = Driver(self.folder, self.limit, listener=self._hear)
        self.ended = False

    @precondition(lambda self: self.driver is None and self.limit < _TRIALS + 3)
    @rule()
    def extend(self) -> None:
        self.limit += 1

    @rule(away=st.booleans())
    def server(self, away: bool) -> None:
        _Store.away = away

    # What holds at any time.

    @invariant()
    def a_resumed_search_would_agree(self) -> None:
        stage = self.folder / "mlruns/ray" / NAME
        kept = newest_snapshot(stage)
        if kept is None:
            return
        trials = stage_trials(kept.folder)
        assert len({trial.trial_id for trial in trials}) == len(trials) <= self.limit
        for trial in trials:
            spec, report = TrialSpec.from_tune(trial.config), TrialReport.last_of(trial.last_result)
            curve = () if report is None else report.curve
            before = self.curves.get(spec.config.model_dump_json(), ())
            assert curve[: len(before)] == before, "a report that was durable has changed or is lost"
            self.curves[spec.config.model_dump_json()] = curve
            assert len(curve) <= EPOCHS
        assert all(count == 1 for count in self.ends.values()), "an end was told twice in one process"

    @invariant()
    def the_store_has_nothing_that_a_resumed_search_lacks(self) -> None:
        if self.driver is None or not self.driver.tracker.parent_id or _Store.away:
            return
        journal = self.driver.tracker._journal
        assert journal is not None
        assert 0 <= journal.sent <= journal.committed <= journal.length == journal.file.stat().st_size

    @invariant()
    def the_stores_agree_when_it_has_ended(self) -> None:
        if not self.ended:
            return
        stage = self.folder / "mlruns/ray" / NAME
        kept = newest_snapshot(stage)
        assert kept is not None
        assert unsent(stage, kept.journal) == 0
        books = open_books(NAME, stage.parent, f"sqlite:///{self.folder / 'mlflow.db'}")
        assert [f"{one.kind}: {one.text}" for one in verify(books)] == []


def test_whatever_happens_a_search_can_be_finished(store: Path) -> None:
    be_quiet()
    Search.empty = store
    bounded = settings(
        max_examples=1000 if _LONG else 8,
        stateful_step_count=60 if _LONG else 30,
        deadline=None,
        derandomize=not _LONG,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink) if _LONG else (Phase.generate,),
        database=None,
    )
    run_state_machine_as_test(Search, settings=bounded)


def test_a_search_that_nothing_disturbs(store: Path, tmp_path: Path) -> None:
    be_quiet()
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    shutil.copy(store, tmp_path / "mlflow.db")
    Driver(tmp_path, _TRIALS).go_on()
    books = open_books(NAME, tmp_path / "mlruns/ray", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert verify(books) == []
    assert len(books.trials) == len(books.runs) == _TRIALS
    with pytest.raises(SearchError, match="there is none yet"):
        open_books(NAME, tmp_path / "elsewhere", f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_a_waiting_trial_that_had_gone_on_when_the_driver_was_killed_goes_on_first(store: Path, tmp_path: Path) -> None:
    """It ended with a network that was better than its curve said, because nothing continued it."""
    be_quiet()
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    shutil.copy(store, tmp_path / "mlflow.db")
    driver = Driver(tmp_path, _TRIALS)
    while not any(trial.status == "PAUSED" for trial in driver.trials):
        trial = driver.running or driver.start()
        if trial is not None:
            driver.report(trial)
        driver.step_end(writes=True)
    waiting = next(trial for trial in driver.trials if trial.status == "PAUSED")
    driver._epoch(waiting)  # what its worker did before the driver was killed
    sender, journal = driver.tracker._sender, driver.tracker._journal
    assert sender is not None and journal is not None
    sender.close()
    driver.mirror.close()
    journal.close()
    resumed = Driver(tmp_path, _TRIALS)
    for pending in [trial for trial in resumed.trials if trial.status == "PENDING"][:1]:
        started = resumed.start()
        assert started is not None and started is pending  # it was running before
        while started.status == "RUNNING":
            resumed.report(started)
    assert waiting.trial_id == next(one for one in (resumed.start(), resumed.start()) if one is not None).trial_id
    resumed.go_on()
    assert verify(open_books(NAME, tmp_path / "mlruns/ray", f"sqlite:///{tmp_path / 'mlflow.db'}")) == []
