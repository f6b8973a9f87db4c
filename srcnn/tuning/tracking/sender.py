"""Delivery of the write-ahead log to an MLflow store: at least once, so every write is idempotent.

`Sender` reads a `srcnn.tuning.tracking.journal.Journal` and sends its entries in a separate thread, so that a slow store does not
delay trials. Requests to a store that is unavailable are retried.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import requests
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from srcnn.errors import SearchError
from srcnn.tuning.adapters.mlflow_internals import forget_place, reconnect
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
from srcnn.tuning.tracking.store_address import first_line

__all__ = ["PATIENCE", "Batch", "Runs", "Sender", "batched", "data_input", "new_run"]

PATIENCE = 900.0  #: seconds for which a finished search waits for an unavailable store

_LONGEST_PAUSE = 10.0  # maximum pause between two attempts, in seconds
_MARK = 1.0  # minimum time between two writes of the journal's positions to disk, in seconds
_CHUNK = 200  # number of operations that are read at once, to send some of them together
_BATCH = 800  # metrics in a request beyond which no report is added to it; MLflow's limit is 1000

#: How MLflow begins what it says of an error that is none of the request: a server that has become a read-only copy of another
#: one, or a file that is no database for a while. It calls both a bad request, as it does a value that is too long.
_OF_THE_DATABASE = re.compile(r"\((?:sqlite3\.DatabaseError|[\w.]*\.(?:ReadOnlySqlTransaction|InternalError\w*))\)")
_LONGEST_CLASS = 300  # characters of an error in which its class stands

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """Metrics, parameters and tags of one run, logged in one request."""

    trial: str | None  #: Ray Tune's id of the trial; None: the search's own run
    #: Name, value, timestamp in milliseconds since 1970, and step of each metric.
    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    kind = "batch"

    def add(self, operation: CreateRun | LogMetrics | SetTags) -> None:
        """Add the content of an operation to the batch; for a new run, its parameters."""
        match operation:
            case CreateRun():
                self.params.update(operation.params)
            case LogMetrics():
                self.metrics.extend((k, v, operation.time, operation.step) for k, v in operation.metrics.items())
            case SetTags():
                self.tags.update(operation.tags)


class Runs:
    """The runs of one search in a store.

    Args:
        client: client of the store.
        experiment_id: id of the runs' experiment.
        parent_id: id of the search's own run.
        known: run ids by trial id.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, parent_id: str, known: dict[str, str]) -> None:
        self.client, self._experiment_id, self._parent_id, self.known = client, experiment_id, parent_id, known

    def apply(self, request: Operation | Batch, *, again: bool = False) -> None:
        """Write one request to the store.

        Args:
            request: a request from `batched`.
            again: whether the request may have been sent before.

        Raises:
            MlflowException: the store rejects the request or is unavailable.
            OSError: likewise, or a file does not exist any more.
            KeyError: the trial has no run.
        """
        try:
            self._apply(request, again)
        except MlflowException:
            reconnect(self.client)  # its database may have been replaced
            raise
        except FileNotFoundError:
            if isinstance(request, LogFile | LogText) and (run_id := self._run_of(request)):
                forget_place(run_id)  # MLflow keeps the place of a run's artifacts, also one from an empty answer
            raise

    def _run_of(self, request: Operation | Batch) -> str | None:
        return self._parent_id if request.trial is None else self.known.get(request.trial)

    def _apply(self, request: Operation | Batch, again: bool) -> None:
        if isinstance(request, CreateRun):
            self._make(request, again)
            return
        run_id = self._parent_id if request.trial is None else self.known[request.trial]
        match request:
            case Batch():
                self.client.log_batch(
                    run_id,
                    metrics=[Metric(name, value, at, step) for name, value, at, step in request.metrics],
                    params=[Param(name, value) for name, value in request.params.items()],
                    tags=[RunTag(name, value) for name, value in request.tags.items()],
                )
            case SetStatus():
                self.client.update_run(run_id, status=request.status)
            case LogFile():
                self.client.log_artifact(run_id, request.file, request.folder)
            case LogText():
                self.client.log_text(run_id, request.text, request.name)
            case EndRun():
                self.client.set_terminated(run_id, request.status, request.time)
            case _:
                raise AssertionError(f"{request.kind} must be sent in a batch")

    def _make(self, operation: CreateRun, again: bool) -> None:
        trial = operation.trial
        assert trial is not None, "the search's own run is not created through the journal"
        if trial not in self.known and again:
            query = f"tags.`{names.TAG_PARENT_RUN}` = '{self._parent_id}' and tags.`{names.TAG_TRIAL}` = '{trial}'"
            self.known.update((trial, run.info.run_id) for run in every_run(self.client, self._experiment_id, query))
        if trial not in self.known:
            tags = {**operation.tags, names.TAG_PARENT_RUN: self._parent_id, names.TAG_TRIAL: trial}
            run = new_run(
                self.client, self._experiment_id, start_time=operation.time, tags=tags, run_name=operation.name
            )
            self.known[trial] = run.info.run_id
        given = {"context": names.CONTEXT_TRAINING, **operation.dataset}
        self.client.log_inputs(self.known[trial], [data_input(given)])


def new_run(client: MlflowClient, experiment_id: str, **fields: Any) -> Run:
    """Create a run.

    Args:
        client: client of the store.
        experiment_id: id of the run's experiment.
        fields: further arguments of ``MlflowClient.create_run``.

    Raises:
        MlflowException: the store rejects it or is unavailable, or its answer is empty, which MLflow takes for a run.
    """
    run = client.create_run(experiment_id, **fields)
    if not run.info.run_id:
        raise MlflowException("the answer to the creation of a run is empty")
    return run


def data_input(data: Mapping[str, str]) -> DatasetInput:
    """Return an image set as an input of a run.

    Args:
        data: ``name``, ``digest`` and number of ``images``, and the ``context`` in which the run uses it.
    """
    entity = Dataset(
        name=data["name"],
        digest=data["digest"],
        source_type="local",
        source=json.dumps({"uri": data["name"]}),
        profile=json.dumps({"images": data["images"]}),
    )
    return DatasetInput(entity, [InputTag(names.TAG_CONTEXT, data["context"])])


def batched(operations: Iterable[Operation]) -> list[Operation | Batch]:
    """Return the same writes in fewer requests: consecutive writes to one run are merged. The order per run is preserved."""
    by_trial: dict[str | None, list[Operation | Batch]] = {}
    for operation in operations:
        mine = by_trial.setdefault(operation.trial, [])
        if not isinstance(operation, CreateRun | LogMetrics | SetTags):
            mine.append(operation)
            continue
        if isinstance(operation, CreateRun):
            mine.append(operation)
        batch = mine[-1] if mine else None
        if not isinstance(batch, Batch) or len(batch.metrics) > _BATCH:
            batch = Batch(operation.trial)
            mine.append(batch)
        batch.add(operation)
    return [request for mine in by_trial.values() for request in mine]


class Sender:
    """Sends the committed entries of a journal, in order, in a separate thread.

    Args:
        journal: the journal, to which the caller appends and commits.
        runs: runs of the search in the store.
        uri: address of the store, for messages.
    """

    def __init__(self, journal: Journal, runs: Runs, uri: str) -> None:
        self._journal, self._runs, self._uri = journal, runs, uri
        self._changed, self._closed = threading.Condition(), False
        self._away = ""
        self._broken: Exception | None = None
        self.refused: list[str] = []  #: requests that the store rejected permanently, with its messages
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Notify the thread that more entries are committed."""
        with self._changed:
            self._changed.notify_all()

    def _work(self) -> None:
        again, marked = True, time.monotonic()  # an earlier process may have sent more than it stored as sent
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._journal.sent < self._journal.committed)
                    if self._closed:
                        return
                while chunk := list(islice(self._journal.read(), _CHUNK)):
                    for request in batched(operation for _, operation in chunk):
                        if not self._send(request, again):
                            return
                    again = False
                    with self._changed:
                        self._journal.sent = chunk[-1][0]
                        self._changed.notify_all()
                    if time.monotonic() - marked > _MARK:
                        with suppress(OSError):  # without stored positions, entries are only sent again
                            self._journal.mark()
                        marked = time.monotonic()
        except Exception as error:  # raised again in the thread that waits in flush()
            self._broken = error
            self.wake()

    def _send(self, request: Operation | Batch, again: bool) -> bool:
        """Retry a request until the store accepts it or rejects it permanently; False if the sender was closed first."""
        pause = 0.5
        while not self._closed:
            try:
                self._runs.apply(request, again=again)
            except (MlflowException, requests.RequestException, OSError, KeyError) as error:
                words = first_line(error)
                if _final(error, request):
                    self.refused.append(f"{request.kind} of {request.trial or 'the search'}: {words}")
                    if len(self.refused) == 1:
                        _log.warning("MLflow rejects the %s", self.refused[0])
                    return True
                if not self._away:
                    _log.warning(
                        "MLflow at %s is unavailable; its runs are kept in %s until it is available again (%s)",
                        self._uri,
                        self._journal.file,
                        words[:200],
                    )
                self._away, again = words, True
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, timeout=pause)
                pause = min(_LONGEST_PAUSE, 2 * pause)
                continue
            if self._away:
                _log.warning("MLflow at %s is available again", self._uri)
                self._away = ""
            return True
        return False

    def flush(self, patience: float = PATIENCE) -> None:
        """Wait until all committed entries are sent.

        Raises:
            SearchError: they are not sent within ``patience`` seconds.
        """
        journal = self._journal
        with self._changed:
            self._changed.notify_all()
            end = time.monotonic() + patience
            while journal.sent < journal.committed and self._broken is None:
                if time.monotonic() >= end:
                    raise SearchError(
                        f"tracking-uri: {self._uri} is unavailable ({self._away[:200]}); {journal.waiting} operations are "
                        f"kept in {journal.file}, and resuming the search sends them"
                    )
                self._changed.wait(min(0.5, max(0.0, end - time.monotonic())))
        if self._broken is not None:
            raise self._broken
        journal.mark()

    def close(self) -> None:
        """Stop the thread. Entries that were not sent remain in the journal."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout=30)
        if len(self.refused) > 1:
            _log.warning(
                "MLflow rejected %d requests permanently, the first of them the %s", len(self.refused), self.refused[0]
            )


def _final(error: Exception, request: Operation | Batch) -> bool:
    """Return whether a retry is useless: the store rejects the request itself, its file is missing, or the trial has no run."""
    if isinstance(error, KeyError):
        return True
    if isinstance(error, FileNotFoundError):  # else the place of the artifacts is not there, or was not in the answer
        return isinstance(request, LogFile) and not Path(request.file).exists()
    if not isinstance(error, MlflowException) or _OF_THE_DATABASE.search(str(error)[:_LONGEST_CLASS]):
        return False
    return 400 <= error.get_http_status_code() < 500 and error.get_http_status_code() not in (401, 403, 408, 429)
