"""Writing of a search's runs to MLflow: one parent run per search, one child run per trial. Only the driver writes.

Every write goes to a write-ahead log on disk (`srcnn.tuning.tracking.journal`), from which a separate thread sends it to the
store (at-least-once delivery). Only entries that Tune's newest snapshot includes are committed and sent (`Tracker.commit`), so
the store never contains a trial that a resumed search does not have. Writes are idempotent: the run of a trial is found by its
tag, so a resumed search continues the same runs, and the metrics of an epoch are logged once, with the epoch as the step. When
a search ends, none of its runs remains RUNNING.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
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
from srcnn.tuning.tracking.reader import every_run
from srcnn.tuning.tracking.sender import PATIENCE, Runs, Sender, batched, data_input, new_run
from srcnn.tuning.tracking.store_address import SQLITE, absolute_uri, check_store, connectable, first_line

__all__ = ["Tracker", "flat_params", "open_tracker", "ui_command"]

_log = logging.getLogger(__name__)
_LONGEST_CREATION = 120.0  # seconds for which another process may create the tables of a database; it takes three
_OWN = names.METRIC_OBJECTIVE  # a metric that every report contains


def ui_command(uri: str) -> str:
    """Return the command that shows the runs of a tracking store; ``mlflow ui`` alone would open an empty store."""
    if uri.startswith("http"):
        return f"open {uri}"
    beside = Path(sys.executable).with_name("mlflow")  # this environment may differ from that of the shell
    program = str(beside) if shutil.which("mlflow") != str(beside) and beside.exists() else "mlflow"
    return f"{program} ui --backend-store-uri {uri}"


def open_tracker(uri: str, folder: Path | None = None) -> Tracker:
    """Return a tracker for a store. The artifacts of a local database are in the same folder as the database.

    Args:
        uri: address of the store, as given by the user.
        folder: folder of the search, for the journal; None: without a journal.
    """
    whole = absolute_uri(uri)  # later commands may run in another folder
    local = whole.startswith(SQLITE)
    return Tracker(whole, Path(whole.removeprefix(SQLITE)).parent / "artifacts" if local else None, folder)


class Tracker:
    """The runs of one search in a tracking store.

    Args:
        uri: ``sqlite:///path``, or the address of an MLflow server.
        artifacts: folder for artifacts if the store is a local database.
        folder: folder for the journal; None: without a journal, each write goes to the store immediately.
    """

    def __init__(self, uri: str, artifacts: Path | None = None, folder: Path | None = None) -> None:
        self.uri, self._artifacts, self._folder = uri, artifacts, folder
        self._client: MlflowClient | None = None
        self.parent_id = ""
        self._experiment_id, self._started = "", 0
        self._runs: Runs | None = None
        self._journal: Journal | None = None
        self._sender: Sender | None = None
        self._last_step: dict[str, int] = {}  # epoch of the last logged metrics, by trial id
        self._open: dict[str, int] = {}  # length of the journal at the start of each trial whose run is RUNNING

    @property
    def client(self) -> MlflowClient:
        """Client of the store; a local store is created at the first use.

        Raises:
            ConfigError, SearchError: as in `srcnn.tuning.tracking.store_address.check_store`.
            OSError: the folder of a local store cannot be written, or another process creates its tables for minutes.
        """
        if self._client is None:
            if self.uri.startswith(SQLITE):
                database = Path(self.uri.removeprefix(SQLITE))
                database.parent.mkdir(parents=True, exist_ok=True)
                # The first client creates the tables. If two clients do so at the same time, both fail.
                with FileLock(f"{database}.lock", timeout=_LONGEST_CREATION):
                    check_store(self.uri, write=True, locked=True)
                    self._client = MlflowClient(self.uri)
            else:
                check_store(self.uri, write=True)
                self._client = MlflowClient(connectable(self.uri))
        return self._client

    @property
    def journal_length(self) -> int:
        """Current length of the journal in bytes, for a snapshot that includes all of it; 0 without a journal."""
        return self._journal.length if self._journal is not None else 0

    @property
    def experiment_id(self) -> str:
        """Id of the experiment, after `open_search`."""
        return self._experiment_id

    @property
    def started(self) -> int:
        """Start of the search, in milliseconds since 1970, after `open_search`."""
        return self._started

    def open_search(
        self,
        name: str,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        counts: int = 0,
        datasets: Sequence[Mapping[str, str]] = (),
    ) -> bool:
        """Find or create the parent run of a search, and read its child runs.

        Args:
            name: name of the search.
            tags: tags for a new run.
            params: parameters for a new run; those that are None are omitted.
            counts: length of the journal that Tune's newest snapshot includes, in bytes.
            datasets: image sets of the search, each with ``name``, ``digest``, number of ``images`` and ``context``.

        Returns:
            Whether the run existed before.

        Raises:
            SearchError: the store cannot be opened.
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
            there_are = found[0].data.params if found else {}  # a process killed before it logged them left none
            given = [Param(k, names.param_text(v)) for k, v in params.items() if v is not None and k not in there_are]
            if found:
                parent = found[0]
                self.client.update_run(parent.info.run_id, status="RUNNING")
            else:
                whole = {**tags, names.TAG_SEARCH: name, names.TAG_TRIAL: names.PARENT}
                parent = new_run(self.client, self._experiment_id, run_name=name, tags=whole)
            parent_id = str(parent.info.run_id)
            if given:
                self.client.log_batch(parent_id, params=given)
            if datasets:  # logging a data set again has no effect
                self.client.log_inputs(parent_id, [data_input(one) for one in datasets])
            there = self._search(f"tags.`{names.TAG_PARENT_RUN}` = '{parent_id}'") if found else []
        except (MlflowException, OSError) as error:
            raise SearchError(f"tracking-uri: {self.uri} cannot be opened: {first_line(error)}") from None
        known = {run.data.tags[names.TAG_TRIAL]: run.info.run_id for run in there}
        # Only now: whoever sees the id may write to the run, and closes it after an error.
        self.parent_id, self._started = parent_id, int(parent.info.start_time)
        self._runs = Runs(self.client, self._experiment_id, parent_id, known)
        again = False
        if self._folder is not None:
            self._journal = Journal(self._folder, counts)
            again = self._send_all_again(self._journal, known, found=bool(found))
            self._sender = Sender(self._journal, self._runs, self.uri)
        if found or again:
            for run in self.children():  # this first sends the committed entries of the journal
                self._last_step[run.data.tags[names.TAG_TRIAL]] = self._step_of(run)
        return bool(found)

    def _send_all_again(self, journal: Journal, known: Mapping[str, str], *, found: bool) -> bool:
        """Go back to the start of the journal if runs that were sent are not in the store: it is a new one or an old copy."""
        try:
            sent = {one.trial for one in journal.sent_before() if isinstance(one, CreateRun)}
        except SearchError:  # a part that nobody needs any more is damaged
            return False
        if not journal.sent or (found and sent <= known.keys()):
            return False
        _log.warning(
            "MLflow at %s has lost runs of this search; they are written again from %s", self.uri, journal.file
        )
        journal.sent = 0
        return True

    def children(self) -> list[Run]:
        """Return the runs of the trials, after sending all entries."""
        self.flush()
        return self._search(f"tags.`{names.TAG_PARENT_RUN}` = '{self.parent_id}'")

    def tag(self, name: str) -> str:
        """Return a tag of the search's run; empty if it has no such tag."""
        self.flush()
        return str(self.client.get_run(self.parent_id).data.tags.get(name, ""))

    def _search(self, query: str) -> list[Run]:
        return every_run(self.client, self._experiment_id, query)

    def _step_of(self, run: Run) -> int:
        if _OWN not in run.data.metrics:
            return 0
        return max(int(m.step) for m in self.client.get_metric_history(run.info.run_id, _OWN))

    def _do(self, operation: Operation) -> None:
        """Append an operation to the journal; without a journal, apply it immediately."""
        assert self._runs is not None, "open_search() must be called first"
        if self._journal is None:
            for one in batched([operation]):
                self._runs.apply(one)
        else:
            self._journal.append(operation)

    def commit(self, length: int | None = None) -> None:
        """Commit all entries, or those up to a length of the journal in bytes, so that they are sent."""
        if self._journal is not None and self._sender is not None:
            self._journal.commit(length)
            self._sender.wake()

    def truncate_uncommitted(self) -> None:
        """Truncate uncommitted entries: everything that trials did after the last snapshot is discarded."""
        if self._journal is not None:
            self._open = {trial: at for trial, at in self._open.items() if at < self._journal.committed}
            self._journal.truncate_uncommitted()

    def flush(self, patience: float = PATIENCE) -> None:
        """Commit all entries, and wait until they are sent.

        Raises:
            SearchError: they are not sent within ``patience`` seconds.
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
        others: Mapping[str, str] | None = None,
    ) -> None:
        """Create the run of a trial, or reopen it: Tune starts a trial again after a fault or a resume.

        Args:
            trial_id: Ray Tune's id of the trial.
            name: name of the run.
            params: what people compare, as parameters.
            tags: tags of the run.
            dataset: ``name``, ``digest`` and number of ``images`` of the training set.
            others: the other fields of the configuration, which get one tag together, and are in the file
                `srcnn.tuning.tracking.names.ARTIFACT_CONFIG` with the parameters; None: there is no such file.
        """
        self._open[trial_id] = self.journal_length
        if trial_id in self._last_step:
            self._do(SetStatus(trial_id, "RUNNING"))
            return
        self._last_step[trial_id] = 0
        whole = {k: str(v) for k, v in params.items()}
        more = {} if others is None else {names.TAG_FIELDS: json.dumps(dict(others))}
        self._do(CreateRun(trial_id, name, whole, {**tags, **more}, dict(dataset), _now()))
        if others is not None:
            text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in sorted({**others, **whole}.items()))
            self._do(LogText(trial_id, text, names.ARTIFACT_CONFIG))

    def run_of(self, trial_id: str) -> str:
        """Return the id of a trial's run, after sending all entries."""
        self.flush()
        assert self._runs is not None
        return self._runs.known[trial_id]

    def last_step(self, trial_id: str) -> int:
        """Return the last epoch of a trial that is logged; 0 if there is none."""
        return self._last_step[trial_id]

    def log_epoch(self, trial_id: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of one epoch; an epoch that is logged already is skipped."""
        if epoch <= self._last_step[trial_id]:
            return
        self._do(LogMetrics(trial_id, epoch, dict(metrics), _now()))
        self._last_step[trial_id] = epoch

    def log_figures(self, trial_id: str | None, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log figures of a run (None: the search's own run), of the whole run or of a step.

        Logging the same figures again has no effect.
        """
        named = {names.valid_metric(name): value for name, value in metrics.items()}
        self._do(LogMetrics(trial_id, step, named, self._started))

    def log_file(self, trial_id: str | None, file: Path, folder: str | None = None) -> None:
        """Log a file as an artifact of a trial's run (None: the search's own run). It must exist until it is sent."""
        self._do(LogFile(trial_id, str(file), folder))

    def log_text(self, text: str, name: str) -> None:
        """Log a text as an artifact of the search's run."""
        self._do(LogText(None, text, name))

    def tag_trial(self, trial_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a trial's run."""
        self._do(SetTags(trial_id, dict(tags)))

    def end_trial(self, trial_id: str, status: str, tags: Mapping[str, str] | None = None) -> None:
        """End a trial's run with the status FINISHED, FAILED or KILLED."""
        if trial_id not in self._last_step:
            return
        self._open.pop(trial_id, None)
        if tags:
            self._do(SetTags(trial_id, dict(tags)))
        self._do(EndRun(trial_id, status, _now()))

    def tag_search(self, tags: Mapping[str, str]) -> None:
        """Set tags of the search's own run."""
        self._do(SetTags(None, dict(tags)))

    def note(self, text: str) -> None:
        """Set the Markdown text at the top of the search's page."""
        self._do(SetTags(None, {names.TAG_NOTE: text}))

    def close_search(self, status: str) -> None:
        """End the parent run with a status, and every child run that is still RUNNING with the status KILLED.

        If the search has not finished, this waits only briefly for a store that is unavailable or slow: resuming the search
        sends the remaining entries.

        Raises:
            SearchError: the search has finished, but the store is unavailable.
        """
        try:
            for trial_id in sorted(self._open):
                self.end_trial(trial_id, "KILLED")
            self._do(EndRun(None, status, _now()))
            self.flush(PATIENCE if status == "FINISHED" else 10.0)
        except (OSError, SearchError) as error:
            if status == "FINISHED":
                raise
            _log.warning("the runs are not closed in MLflow yet; resuming the search closes them: %s", error)
        finally:
            if self._journal is not None and self._sender is not None:
                self._sender.close()
                with suppress(OSError):  # without stored positions, entries are only sent again
                    self._journal.mark()
                self._journal.close()


def _now() -> int:
    """Return the current time in milliseconds since 1970, as in MLflow."""
    return int(time.time() * 1000)


def flat_params(fields: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Return fields as MLflow parameters; tuples of numbers in the papers' notation, such as 9-1-5."""
    return {name: "-".join(map(str, value)) if isinstance(value, tuple) else str(value) for name, value in fields}
