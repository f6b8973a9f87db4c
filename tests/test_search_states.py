"""A search as a state machine: what may happen to it, in any order, against its real parts; Ray's loop is stood in for.

The searcher, the scheduler, the callback, the journal, the snapshots, the tracker with an MLflow store in SQLite, the copy for
Optuna's dashboard and the live file are real (`_faults.driver`). After every step, what a resumed search would find must agree.
`HYPOTHESIS_PROFILE=long` runs many more examples than the suite.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar

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

from srcnn.errors import SearchError, SearchRunningError
from srcnn.system.folder_lock import LOCK_FILE, locked, refuse_if_locked
from srcnn.tuning.adapters.mlflow_internals import reconnect
from srcnn.tuning.driver.cluster import be_quiet
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.optuna_mirror import FILE
from srcnn.tuning.driver.snapshot import newest_snapshot, stage_trials
from srcnn.tuning.tracking import names, sender
from srcnn.tuning.tracking.journal import unsent
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.consistency import open_books, verify

from _faults.driver import EPOCHS, NAME, SPACE, Driver
from empty_store import empty

__all__ = ["empty"]

_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
_WRITES = ("create_run", "log_batch", "log_inputs", "log_artifact", "log_text", "set_terminated", "update_run")
_TRIALS = 4
_OTHER = "other"  # name of another search on the same store
_WHAT = f"name: the search {NAME}"


class _Store:
    """What is wrong with the server, in MLflow's words; the methods of its client that write ask it. Empty: nothing."""

    says = ""


_AWAY = "API request failed: connection refused"
_READ_ONLY = "(sqlite3.OperationalError) attempt to write a readonly database"


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """A server that can be away, and that says so as MLflow's client does."""
    before = {name: getattr(MlflowClient, name) for name in _WRITES}

    def asked(name: str) -> Any:
        def call(self: MlflowClient, *given: Any, **named: Any) -> Any:
            if _Store.says:
                raise MlflowException(_Store.says)
            return before[name](self, *given, **named)

        return call

    pause = sender._LONGEST_PAUSE
    sender._LONGEST_PAUSE = 0.1  # else a store that is back is asked again after ten seconds
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # it writes the stack of every error of the database
    for name in _WRITES:
        setattr(MlflowClient, name, asked(name))
    yield
    sender._LONGEST_PAUSE = pause
    logging.getLogger("mlflow").setLevel(logging.NOTSET)
    for name, method in before.items():
        setattr(MlflowClient, name, method)


def once(name: str) -> Callable[[Search], bool]:
    """A rule that changes nothing more if it is repeated before the search has done something."""
    return lambda self: name not in self.since


def counted(function: Callable[..., None]) -> Callable[..., None]:
    """Count the steps of a rule."""

    @wraps(function)
    def step(self: Search, **given: Any) -> None:
        Search.counts[function.__name__] += 1
        self.since.add(function.__name__)
        if function.__name__ in ("work", "report", "step", "resume"):
            self.since.clear()
        function(self, **given)

    return step


class Search(RuleBasedStateMachine):
    """The rules: what a search does, and what befalls it."""

    empty: Path  # a store with its tables
    counts: ClassVar[Counter[str]] = Counter()  # steps of each rule, in all examples

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="srcnn-states-"))
        self.driver: Driver | None = None
        self.limit, self.ended = _TRIALS, False
        self.ends: Counter[str] = Counter()  # end events of each trial in the present process
        self.told: set[str] = set()  # trials whose end a durable snapshot includes
        self.curves: dict[str, tuple[float, ...]] = {}  # the longest durable curve of each configuration
        self.since: set[str] = set()  # rules since the search last did something
        self.other: Driver | None = None  # another search on the same store
        self.lock = ExitStack()  # of the search's folder, as long as its driver lives
        self.database, self.away = self.folder / "mlflow.db", self.folder / "away.db"

    def teardown(self) -> None:
        self.mend()
        try:
            if self.driver is not None:
                self._kill()
            if self.curves:  # whatever happened, the search can be finished, and all stores agree
                self._resume()
                assert self.driver is not None
                self.driver.go_on()
                self._leave()
                self._check(NAME)
            if self.other is not None:
                self.other.go_on()
                self._check(_OTHER)
        finally:
            self.lock.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _check(self, name: str) -> None:
        """What an ended search left in all its stores."""
        books = open_books(name, self.folder / "mlruns/ray", f"sqlite:///{self.database}")
        assert [f"{one.kind}: {one.text}" for one in verify(books)] == []
        assert len(books.runs) == len({run.data.tags[names.TAG_TRIAL] for run in books.runs})
        self._check_mirror(name, len(books.trials))

    def _check_mirror(self, name: str, trials: int) -> None:
        storage = JournalStorage(JournalFileBackend(str(self.folder / "mlruns/ray" / name / FILE)))
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
        shutil.copy(self.empty, self.database)
        self._resume()

    # What a search does.

    @precondition(lambda self: self.driver is not None)
    @rule(epochs=st.integers(1, 2 * EPOCHS), writes=st.booleans())
    @counted
    def work(self, epochs: int, writes: bool) -> None:
        """Nothing disturbs it for a while."""
        assert self.driver is not None
        for _ in range(epochs):
            trial = self.driver.running or self.driver.start()
            if trial is not None:
                self.driver.report(trial)
            self.driver.step_end(writes=writes and bool(self.driver.trials))

    @precondition(lambda self: self.driver is not None and self.driver.running is None)
    @rule()
    @counted
    def start(self) -> None:
        assert self.driver is not None
        self.driver.start()

    @precondition(lambda self: self.driver is not None and self.driver.running is not None)
    @rule()
    @counted
    def report(self) -> None:
        assert self.driver is not None and self.driver.running is not None
        self.driver.report(self.driver.running)

    @precondition(lambda self: self.driver is not None and self.driver.running is not None)
    @rule()
    @counted
    def fail(self) -> None:
        assert self.driver is not None and self.driver.running is not None
        self.driver.report(self.driver.running, fails=True)

    @precondition(lambda self: self.driver is not None)
    @rule(writes=st.booleans())
    @counted
    def step(self, writes: bool) -> None:
        assert self.driver is not None
        self.driver.step_end(writes=writes and bool(self.driver.trials))

    @precondition(lambda self: self.driver is not None and self.driver.over)
    @rule()
    @counted
    def finish(self) -> None:
        assert self.driver is not None
        self.mend()
        self.driver.finish()
        self._leave()
        self.ended = True

    # What befalls it.

    @precondition(lambda self: self.driver is not None and self.driver.running is not None)
    @rule()
    @counted
    def lose_a_worker(self) -> None:
        assert self.driver is not None and self.driver.running is not None
        self.driver.lose(self.driver.running)

    @precondition(lambda self: self.driver is not None)
    @rule()
    @counted
    def kill(self) -> None:
        """The driver dies: its threads send nothing more, and what is in memory is lost. Its lock keeps its name."""
        self._kill()

    def _kill(self) -> None:
        driver = self.driver
        assert driver is not None
        sender = driver.tracker._sender
        assert sender is not None and driver.tracker._journal is not None
        sender.close()
        driver.mirror.close()
        driver.tracker._journal.close()
        record = (driver.stage / LOCK_FILE).read_bytes()
        self._leave()
        (driver.stage / LOCK_FILE).write_bytes(record)

    def _leave(self) -> None:
        """The driver has ended, and the system has released its lock."""
        self.driver = None
        self.lock.close()

    @precondition(lambda self: self.driver is not None)
    @rule()
    @counted
    def interrupt(self) -> None:
        """Ctrl-C: Tune writes its state, and the search is closed in good order."""
        assert self.driver is not None
        self.mend()
        self.driver.finish("KILLED")
        self._leave()

    @precondition(lambda self: self.driver is None)
    @rule()
    @counted
    def resume(self) -> None:
        self._resume()

    def _resume(self) -> None:
        self.ends.clear()
        if _Store.says:
            with pytest.raises(SearchError, match=r"tracking-uri: .* cannot be opened: .*" + re.escape(_Store.says)):
                Driver(self.folder, self.limit)
            return
        if self.away.exists() and self.other is None:  # it does not come back: the search goes on in a new one
            os.replace(shutil.copy(self.empty, self.folder / "new.db"), self.database)
            self.away.unlink()
        self._forget_connections()
        self.mend_file()
        self.lock.enter_context(locked(self.folder / "mlruns/ray" / NAME, _WHAT))
        self.driver = Driver(self.folder, self.limit, listener=self._hear)
        self.ended = False

    def _forget_connections(self) -> None:
        """A new driver is a new process, which has no connection to a file that was replaced; MLflow keeps them in this one."""
        reconnect(MlflowClient(f"sqlite:///{self.database}"))

    @precondition(lambda self: self.driver is not None)
    @precondition(once("start_it_twice"))
    @rule()
    @counted
    def start_it_twice(self) -> None:
        """A second driver of the same search."""
        folder = self.folder / "mlruns/ray" / NAME
        said = f"^{_WHAT} is running already: process {os.getpid()} on {re.escape(socket.gethostname())}, since "
        with pytest.raises(SearchRunningError, match=said), locked(folder, _WHAT):
            raise AssertionError("two drivers at once")
        with pytest.raises(SearchRunningError, match=said):
            refuse_if_locked(folder, _WHAT)

    @precondition(lambda self: not _Store.says and not self.away.exists())
    @precondition(once("another_search"))
    @rule(reports=st.integers(1, EPOCHS))
    @counted
    def another_search(self, reports: int) -> None:
        """It begins or goes on, on the same store."""
        if self.other is None:
            self._forget_connections()
            self.other = Driver(self.folder, 1, seed=2, name=_OTHER)
        for _ in range(reports):
            trial = self.other.running or self.other.start()
            if trial is not None:
                self.other.report(trial)
            self.other.step_end(writes=True)

    @precondition(lambda self: self.driver is None and self.limit < _TRIALS + 3)
    @rule()
    @counted
    def extend(self) -> None:
        self.limit += 1

    @precondition(once("server"))
    @rule(says=st.sampled_from(("", _AWAY, _READ_ONLY)))
    @counted
    def server(self, says: str) -> None:
        _Store.says = says

    @precondition(lambda self: not self.away.exists())
    @precondition(once("lose_the_store"))
    @rule()
    @counted
    def lose_the_store(self) -> None:
        """Its file is moved away; whoever opens it meanwhile makes an empty one."""
        os.replace(self.database, self.away)

    @precondition(lambda self: self.away.exists())
    @rule()
    @counted
    def get_the_store_back(self) -> None:
        self.mend()

    def mend(self) -> None:
        _Store.says = ""
        self.mend_file()

    def mend_file(self) -> None:
        if self.away.exists():
            os.replace(self.away, self.database)

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
        if self.driver is None or not self.driver.tracker.parent_id or _Store.says:
            return
        journal = self.driver.tracker._journal
        assert journal is not None
        assert 0 <= journal.sent <= journal.committed <= journal.length == journal.file.stat().st_size

    @invariant()
    def the_stores_agree_when_it_has_ended(self) -> None:
        if not self.ended or self.away.exists():
            return
        stage = self.folder / "mlruns/ray" / NAME
        kept = newest_snapshot(stage)
        assert kept is not None
        assert unsent(stage, kept.journal) == 0
        books = open_books(NAME, stage.parent, f"sqlite:///{self.database}")
        assert [f"{one.kind}: {one.text}" for one in verify(books)] == []


def test_whatever_happens_a_search_can_be_finished(empty: Path) -> None:
    be_quiet()
    Search.empty = empty
    bounded = settings(
        max_examples=1000 if _LONG else 3,
        stateful_step_count=60 if _LONG else 30,
        deadline=None,
        derandomize=not _LONG,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink) if _LONG else (Phase.generate,),
        database=None,
    )
    Search.counts.clear()
    run_state_machine_as_test(Search, settings=bounded)
    steps = ", ".join(f"{name} {count}" for name, count in sorted(Search.counts.items()))
    print(f"\nstate machine: {len(Search.counts)} rules, {Search.counts.total()} steps: {steps}")


def test_two_searches_two_drivers_and_a_store_that_is_read_only_or_lost(empty: Path) -> None:
    """Rules of the machine in one order, which no draw leaves out."""
    be_quiet()
    Search.empty = empty
    search = Search()
    try:
        search.begin()
        search.work(epochs=2, writes=True)
        search.start_it_twice()
        search.another_search(reports=2)
        search.server(says=_READ_ONLY)
        search.work(epochs=2, writes=True)
        search.kill()
        search.resume()  # refused
        search.server(says="")
        search.lose_the_store()
        search.resume()  # it is back, because another search uses it
        search.start_it_twice()
        search.lose_the_store()
        search.work(epochs=2, writes=True)
        search.get_the_store_back()
        search.a_resumed_search_would_agree()
        search.the_store_has_nothing_that_a_resumed_search_lacks()
    finally:
        search.teardown()  # both go on to their ends, and all stores agree


def test_a_search_that_nothing_disturbs(empty: Path, tmp_path: Path) -> None:
    be_quiet()
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    shutil.copy(empty, tmp_path / "mlflow.db")
    Driver(tmp_path, _TRIALS).go_on()
    books = open_books(NAME, tmp_path / "mlruns/ray", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert verify(books) == []
    assert len(books.trials) == len(books.runs) == _TRIALS
    with pytest.raises(SearchError, match="there is none yet"):
        open_books(NAME, tmp_path / "elsewhere", f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_a_waiting_trial_that_had_gone_on_when_the_driver_was_killed_goes_on_first(empty: Path, tmp_path: Path) -> None:
    """It ended with a network that was better than its curve said, because nothing continued it."""
    be_quiet()
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    shutil.copy(empty, tmp_path / "mlflow.db")
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
