"""MLflow: one parent run for a search, one child for a trial, written by the driver alone.

Every write goes through a write-ahead log on disk (`srcnn.tuning.tracking.journal`), and from there to the store by a thread of
its own, at least once. Only entries that Tune's last snapshot includes are sent (`Tracker.commit`), so the store never has a
trial that a resumed search would not know. Writes are idempotent: a trial's run is found by its tag, so a resumed search goes on
in the same runs, and a metric's step is the epoch and is written once. No run stays RUNNING when a search ends.
"""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock
from mlflow.entities import Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from srcnn.errors import SearchError
from srcnn.tuning.adapters.mlflow_internals import TRAINING_EXPERIMENT
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.journal import Journal
from srcnn.tuning.tracking.operations import (
    CreateRun,
    EndRun,
    LogFile,
    LogMetrics,
    LogText,
    Operation,
    SetStatus,
    SetTags,
)
from srcnn.tuning.tracking.reader import absolute_uri, every_run
from srcnn.tuning.tracking.sender import PATIENCE, Runs, Sender, batched

__all__ = ["Tracker", "flat_params", "open_tracker", "ui_command"]

_log = logging.getLogger(__name__)
_OWN = names.METRIC_OBJECTIVE  # the metric that every report has


def ui_command(uri: str) -> str:
    """The command that shows the runs of a tracking store; a bare ``mlflow ui`` would open an empty one."""
    if uri.startswith("http"):
        return f"open {uri}"
    beside = Path(sys.executable).with_name("mlflow")  # of this environment, which may not be the shell's
    program = str(beside) if shutil.which("mlflow") != str(beside) and beside.exists() else "mlflow"
    return f"{program} ui --backend-store-uri {uri}"


def open_tracker(uri: str, folder: Path | None = None) -> Tracker:
    """The tracker of a store as a person named it; beside a local database lies its folder of artifacts.

    Args:
        uri: of the store.
        folder: of the search's state, where the journal lies; None: without a journal.
    """
    whole = absolute_uri(uri)  # later commands run elsewhere
    local = whole.startswith("sqlite:///")
    return Tracker(whole, Path(whole.removeprefix("sqlite:///")).parent / "artifacts" if local else None, folder)


class Tracker:
    """The runs of one search in a tracking store.

    Args:
        uri: ``sqlite:///path``, or the address of an MLflow server.
        artifacts: folder for artifacts where the store is a local database.
        folder: of the journal; None: everything is written at once, without one.

    Raises:
        SearchError: the store cannot be opened.
    """

    def __init__(self, uri: str, artifacts: Path | None = None, folder: Path | None = None) -> None:
        self.uri, self._artifacts, self._folder = uri, artifacts, folder
        self._client: MlflowClient | None = None
        self.parent_id = ""
        self._experiment_id, self._started = "", 0
        self._runs: Runs | None = None
        self._journal: Journal | None = None
        self._sender: Sender | None = None
        self._last_step: dict[str, int] = {}  # by trial, epoch of the last metrics written
        self._open: dict[str, int] = {}  # trials whose run is RUNNING, with the journal's length when it was made so

    @property
    def client(self) -> MlflowClient:
        """The store's client; the first use makes a local store."""
        if self._client is None:
            if self.uri.startswith("sqlite:///"):
                database = Path(self.uri.removeprefix("sqlite:///"))
                database.parent.mkdir(parents=True, exist_ok=True)
                # The first client makes the tables, and two that make them at once both fail.
                with FileLock(f"{database}.lock"):
                    self._client = MlflowClient(self.uri)
            else:
                self._client = MlflowClient(self.uri)
        return self._client

    @property
    def journal_length(self) -> int:
        """Bytes of the journal so far, for a state that knows of all of it."""
        return self._journal.length if self._journal is not None else 0

    def open_search(self, name: str, tags: Mapping[str, str], params: Mapping[str, Any], counts: int = 0) -> bool:
        """Find or make the parent run of a search and learn its children; True if it was there before.

        Args:
            name: of the search.
            tags: of a new run.
            params: of a new run.
            counts: bytes of the journal that Tune's last snapshot includes.
        """
        try:
            experiment = self.client.get_experiment_by_name(names.EXPERIMENT)
            if experiment is None:
                location = None if self._artifacts is None else self._artifacts.resolve().as_uri()
                self._experiment_id = self.client.create_experiment(
                    names.EXPERIMENT, artifact_location=location, tags=dict(TRAINING_EXPERIMENT)
                )
            else:
                self._experiment_id = experiment.experiment_id
            found = self._search(
                f"tags.`{names.TAG_SEARCH}` = '{name}' and tags.`{names.TAG_TRIAL}` = '{names.PARENT}'"
            )
            if found:
                self.parent_id, self._started = found[0].info.run_id, int(found[0].info.start_time)
                self.client.update_run(self.parent_id, status="RUNNING")
            else:
                whole = {**tags, names.TAG_SEARCH: name, names.TAG_TRIAL: names.PARENT}
                run = self.client.create_run(self._experiment_id, run_name=name, tags=whole)
                self.parent_id, self._started = run.info.run_id, int(run.info.start_time)
                self.client.log_batch(self.parent_id, params=[Param(k, names.param_text(v)) for k, v in params.items()])
        except (MlflowException, OSError) as error:
            raise SearchError(f"tracking-uri: {self.uri} cannot be opened: {str(error).splitlines()[0]}") from None
        there = self._search(f"tags.`{names.TAG_PARENT_RUN}` = '{self.parent_id}'") if found else []
        known = {run.data.tags[names.TAG_TRIAL]: run.info.run_id for run in there}
        self._runs = Runs(self.client, self._experiment_id, self.parent_id, known)
        if self._folder is not None:
            self._journal = Journal(self._folder, counts)
            self._sender = Sender(self._journal, self._runs, self.uri)
        if found:
            for run in self.children():  # what the journal still held is sent before
                self._last_step[run.data.tags[names.TAG_TRIAL]] = self._step_of(run)
        return bool(found)

    def children(self) -> list[Run]:
        """The runs of the trials."""
        self.flush()
        return self._search(f"tags.`{names.TAG_PARENT_RUN}` = '{self.parent_id}'")

    def tag(self, name: str) -> str:
        """A tag of the search's run; empty if it has none of that name."""
        self.flush()
        return str(self.client.get_run(self.parent_id).data.tags.get(name, ""))

    def _search(self, query: str) -> list[Run]:
        return every_run(self.client, self._experiment_id, query)

    def _step_of(self, run: Run) -> int:
        if _OWN not in run.data.metrics:
            return 0
        return max(int(m.step) for m in self.client.get_metric_history(run.info.run_id, _OWN))

    def _do(self, operation: Operation) -> None:
        """Append an operation to the journal; without one, apply it at once."""
        assert self._runs is not None, "the search is open"
        if self._journal is None:
            for one in batched([operation]):
                self._runs.apply(one)
        else:
            self._journal.append(operation)

    def commit(self, length: int | None = None) -> None:
        """Commit what was written so far (or up to a length of the journal), so that it is sent."""
        if self._journal is not None and self._sender is not None:
            self._journal.commit(length)
            self._sender.wake()

    def truncate_uncommitted(self) -> None:
        """Truncate uncommitted entries: trials went on after the last snapshot, and that part is given up."""
        if self._journal is not None:
            self._open = {trial: at for trial, at in self._open.items() if at < self._journal.committed}
            self._journal.truncate_uncommitted()

    def flush(self, patience: float = PATIENCE) -> None:
        """Commit everything, and wait until the store has it.

        Raises:
            SearchError: the store is away for longer than ``patience`` seconds.
        """
        if self._journal is not None and self._sender is not None:
            self.commit()
            self._journal.mark()
            self._sender.flush(patience)

    def start_trial(
        self,
        trial_id: str,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        dataset: Mapping[str, str],
    ) -> None:
        """Make the run of a trial, or open the one it has; Tune starts a trial again after a fault or a resume."""
        self._open[trial_id] = self.journal_length
        if trial_id in self._last_step:
            self._do(SetStatus(trial_id, "RUNNING"))
            return
        self._last_step[trial_id] = 0
        whole = {k: str(v) for k, v in params.items()}
        self._do(CreateRun(trial_id, name, whole, dict(tags), dict(dataset), _now()))

    def run_of(self, trial_id: str) -> str:
        """The id of a trial's run."""
        self.flush()
        assert self._runs is not None
        return self._runs.known[trial_id]

    def last_step(self, trial_id: str) -> int:
        """The epoch up to which a trial is written."""
        return self._last_step[trial_id]

    def log_epoch(self, trial_id: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """One batch for one report; a step that is written already is left alone."""
        if epoch <= self._last_step[trial_id]:
            return
        self._do(LogMetrics(trial_id, epoch, dict(metrics), _now()))
        self._last_step[trial_id] = epoch

    def log_figures(self, trial_id: str | None, metrics: Mapping[str, float]) -> None:
        """Figures that stand for a whole run (None: the search itself); the same ones again are kept once."""
        named = {names.valid_metric(name): value for name, value in metrics.items()}
        self._do(LogMetrics(trial_id, 0, named, self._started))

    def log_file(self, trial_id: str | None, file: Path, folder: str | None = None) -> None:
        """Keep a file as an artifact of a trial's run (None: of the search's); it must stay until it is sent."""
        self._do(LogFile(trial_id, str(file), folder))

    def log_text(self, text: str, name: str) -> None:
        """Keep a text as an artifact of the search's run."""
        self._do(LogText(None, text, name))

    def end_trial(self, trial_id: str, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Close a trial's run as FINISHED, FAILED or KILLED."""
        if trial_id not in self._last_step:
            return
        self._open.pop(trial_id, None)
        if tags:
            self._do(SetTags(trial_id, dict(tags)))
        self._do(EndRun(trial_id, status, _now()))

    def note(self, text: str) -> None:
        """The Markdown that the search's page shows first."""
        self._do(SetTags(None, {names.TAG_NOTE: text}))

    def close_search(self, status: str) -> None:
        """End the parent run and every child that is still RUNNING (as KILLED).

        A search that did not finish does not wait long for a store that is away or slow: resuming it sends the rest.

        Raises:
            SearchError: the store is away, and the search has finished.
        """
        try:
            for trial_id in sorted(self._open):
                self.end_trial(trial_id, "KILLED")
            self._do(EndRun(None, status, _now()))
            self.flush(PATIENCE if status == "FINISHED" else 10.0)
        except (OSError, SearchError) as error:
            if status == "FINISHED":
                raise
            _log.warning("the runs are not closed in MLflow yet, resuming the search does that: %s", error)
        finally:
            if self._journal is not None and self._sender is not None:
                self._sender.close()
                with suppress(OSError):  # what it says only saves sending again
                    self._journal.mark()
                self._journal.close()


def _now() -> int:
    """Milliseconds, as MLflow counts."""
    return int(time.time() * 1000)


def flat_params(fields: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Fields as MLflow parameters; lists in the papers' notation."""
    return {name: "-".join(map(str, value)) if isinstance(value, tuple) else str(value) for name, value in fields}
