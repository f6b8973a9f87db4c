"""MLflow: one parent run for a search, one child for a trial, written by the driver alone.

A trial is found by its tag, never by memory alone, so a resumed search goes on in the same runs; a metric's step is the
epoch and is written once. Every report is one batch. Nothing stays RUNNING when a search ends, whatever ended it.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from srcnn.errors import SearchError
from srcnn.tuning.runs import EXPERIMENT, PARENT, SEARCH, TRIAL, absolute_uri, every_run

__all__ = ["EXPERIMENT", "Tracker", "environment_tags", "flat_params", "open_tracker", "ui_command"]


def environment_tags() -> dict[str, str]:
    """What a figure depends on besides its configuration: commit, versions, machine."""
    import torch

    tags = {f"version.{name}": version(name) for name in ("torch", "ray", "optuna", "mlflow", "numpy")}
    tags["version.python"] = ".".join(map(str, sys.version_info[:3]))
    tags["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    tags["mlflow.source.git.commit"] = _commit()
    tags["mlflow.source.name"] = Path(sys.argv[0]).name or "python"
    with suppress(Exception):  # a container may run as a user without a name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    return f"CPU, {os.cpu_count()} cores"


def _commit() -> str:
    """The commit of the code, with a mark where files differ from it; ``unknown`` outside a checkout."""
    with suppress(OSError, subprocess.SubprocessError):
        here = Path(__file__).parent

        def git(*arguments: str) -> str:
            return subprocess.run(
                ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
            ).stdout.strip()

        return git("rev-parse", "HEAD") + ("-modified" if git("status", "--porcelain", "--untracked-files=no") else "")
    return "unknown"


def ui_command(uri: str) -> str:
    """The command that shows the runs of a tracking store; a bare ``mlflow ui`` would open an empty one."""
    if uri.startswith("http"):
        return f"open {uri}"
    beside = Path(sys.executable).with_name("mlflow")  # of this environment, which may not be the shell's
    program = str(beside) if shutil.which("mlflow") != str(beside) and beside.exists() else "mlflow"
    return f"{program} ui --backend-store-uri {uri}"


def open_tracker(uri: str) -> Tracker:
    """The tracker of a store as a person named it; beside a local database lies its folder of artifacts."""
    whole = absolute_uri(uri)  # later commands run elsewhere
    local = whole.startswith("sqlite:///")
    return Tracker(whole, Path(whole.removeprefix("sqlite:///")).parent / "artifacts" if local else None)


@dataclass(frozen=True)
class _Child:
    run_id: str
    last_step: int  #: epoch of the last metrics written


class Tracker:
    """The runs of one search in a tracking store.

    Args:
        uri: ``sqlite:///path``, or the address of an MLflow server.
        artifacts: folder for artifacts where the store is a local database.

    Raises:
        SearchError: the store cannot be opened.
    """

    def __init__(self, uri: str, artifacts: Path | None = None) -> None:
        self.uri, self._artifacts = uri, artifacts
        self._client: MlflowClient | None = None
        self.parent_id = ""
        self._experiment_id = ""
        self._children: dict[str, _Child] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_client": None}  # a client does not pickle; the next use opens a new one

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

    def open_search(self, name: str, tags: Mapping[str, str], params: Mapping[str, Any]) -> bool:
        """Find or make the parent run of a search and learn its children; True if it was there before."""
        try:
            experiment = self.client.get_experiment_by_name(EXPERIMENT)
            if experiment is None:
                location = None if self._artifacts is None else self._artifacts.resolve().as_uri()
                # The tag makes the UI show training runs rather than traces of language models.
                self._experiment_id = self.client.create_experiment(
                    EXPERIMENT, artifact_location=location, tags={"mlflow.experimentKind": "custom_model_development"}
                )
            else:
                self._experiment_id = experiment.experiment_id
        except (MlflowException, OSError) as error:
            raise SearchError(f"tracking-uri: {self.uri} cannot be opened: {str(error).splitlines()[0]}") from None
        found = self._search(f"tags.`{SEARCH}` = '{name}' and tags.`{TRIAL}` = 'parent'")
        if found:
            self.parent_id = found[0].info.run_id
            self.client.update_run(self.parent_id, status=RunStatus.to_string(RunStatus.RUNNING))
            self.refresh()
            return True
        run = self.client.create_run(self._experiment_id, run_name=name, tags={**tags, SEARCH: name, TRIAL: "parent"})
        self.parent_id = run.info.run_id
        self.client.log_batch(self.parent_id, params=[Param(k, str(v)) for k, v in params.items()])
        return False

    def refresh(self) -> None:
        """Learn from the store which trials have a run and how far each was written."""
        for run in self.children():
            self._children[run.data.tags[TRIAL]] = _Child(run.info.run_id, self._last_step(run))

    def children(self) -> list[Run]:
        """The runs of the trials."""
        return self._search(f"tags.`{PARENT}` = '{self.parent_id}'")

    def tag(self, name: str) -> str:
        """A tag of the search's run; empty if it has none of that name."""
        return str(self.client.get_run(self.parent_id).data.tags.get(name, ""))

    def _search(self, query: str) -> list[Run]:
        return every_run(self.client, self._experiment_id, query)

    def _last_step(self, run: Run) -> int:
        if "objective" not in run.data.metrics:
            return 0
        return max(int(m.step) for m in self.client.get_metric_history(run.info.run_id, "objective"))

    def start_trial(
        self,
        trial_id: str,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        dataset: Mapping[str, str],
    ) -> None:
        """Make the run of a trial, or open the one it has; Tune starts a trial again after a fault or a resume."""
        child = self._children.get(trial_id)
        if child is not None:
            self.client.update_run(child.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
            return
        own = {PARENT: self.parent_id, TRIAL: trial_id}
        run = self.client.create_run(self._experiment_id, run_name=name, tags={**tags, **own})
        self._children[trial_id] = _Child(run.info.run_id, 0)
        self.client.log_batch(run.info.run_id, params=[Param(k, str(v)) for k, v in params.items()])
        entity = Dataset(
            name=dataset["name"],
            digest=dataset["digest"],
            source_type="local",
            source=json.dumps({"uri": dataset["name"]}),
            profile=json.dumps({"images": dataset["images"]}),
        )
        self.client.log_inputs(run.info.run_id, [DatasetInput(entity)])

    def run_of(self, trial_id: str) -> str:
        """The id of a trial's run."""
        return self._children[trial_id].run_id

    def log_epoch(self, trial_id: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """One batch for one report; a step that is written already is left alone."""
        child = self._children[trial_id]
        if epoch <= child.last_step:
            return
        now = int(time.time() * 1000)
        self.client.log_batch(child.run_id, metrics=[Metric(k, v, now, epoch) for k, v in metrics.items()])
        self._children[trial_id] = _Child(child.run_id, epoch)

    def log_figures(self, trial_id: str | None, metrics: Mapping[str, float]) -> None:
        """Figures that stand for a whole run (None: the search itself)."""
        run_id = self.parent_id if trial_id is None else self._children[trial_id].run_id
        now = int(time.time() * 1000)
        self.client.log_batch(run_id, metrics=[Metric(k, v, now, 0) for k, v in metrics.items()])

    def log_file(self, trial_id: str | None, file: Path, folder: str | None = None) -> None:
        """Keep a file as an artifact of a trial's run (None: of the search's)."""
        run_id = self.parent_id if trial_id is None else self._children[trial_id].run_id
        self.client.log_artifact(run_id, str(file), folder)

    def log_text(self, text: str, name: str) -> None:
        """Keep a text as an artifact of the search's run."""
        self.client.log_text(self.parent_id, text, name)

    def end_trial(self, trial_id: str, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Close a trial's run as FINISHED, FAILED or KILLED."""
        child = self._children.get(trial_id)
        if child is None:
            return
        if tags:
            self.client.log_batch(child.run_id, tags=[RunTag(k, v) for k, v in tags.items()])
        self.client.set_terminated(child.run_id, status)

    def note(self, text: str) -> None:
        """The Markdown that the search's page shows first."""
        self.client.set_tag(self.parent_id, "mlflow.note.content", text)

    def close_search(self, status: str) -> list[str]:
        """End the parent run and every child that is still RUNNING (as KILLED); returns the latter's names."""
        left = self._search(f"tags.`{PARENT}` = '{self.parent_id}' and attributes.status = 'RUNNING'")
        for run in left:
            self.client.set_terminated(run.info.run_id, "KILLED")
        self.client.set_terminated(self.parent_id, status)
        return [run.info.run_name or run.info.run_id for run in left]


def flat_params(fields: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Fields as MLflow parameters; lists in the papers' notation."""
    return {name: "-".join(map(str, value)) if isinstance(value, tuple) else str(value) for name, value in fields}
