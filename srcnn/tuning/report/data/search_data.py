"""Data of a search for its report, read from MLflow.

Nothing is measured again, and only logged files are read, so a report can be created on any machine with access to the store.
Only numbers, tags and JSON are read; texts for people are not parsed. A search of an earlier version, which logged less, has a
partial report that states what is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from srcnn.config.architecture import ModelConfig
from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.model.network import count_macs, count_parameters
from srcnn.overlap.leaks import Leak, read_tags
from srcnn.tuning.adapters.mlflow_internals import run_address
from srcnn.tuning.report.data.crop_pictures import CropPicture, read_pictures
from srcnn.tuning.report.data.history import History, curve_of, history_of
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.provenance import short_commit
from srcnn.tuning.tracking.reader import (
    artifact_text,
    children_of,
    fields_of,
    kept_space,
    open_store,
    parent_named,
    parent_runs,
    reading,
    values_of,
)
from srcnn.tuning.trials.objective import OBJECTIVES
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.trials.verdict import ScaleVerdict, read_verdicts

__all__ = ["UI", "Child", "SearchData", "curve_of", "find_parent", "gather", "network_of", "parents", "web_pages"]

_LOCAL = re.compile(r"https?://(localhost|127\.|\[::1\])")
UI = "http://127.0.0.1:5000"  #: default address of ``mlflow ui`` for a local store


@dataclass(frozen=True)
class Child:
    """One training of a search."""

    run_id: str
    trial_id: str
    name: str  #: name of the configuration; in earlier versions, the name of the run
    stage: str  #: name of the stage: ``search``, ``confirm`` or ``judge``; ``rung`` for lower rungs of a confirmation
    outcome: Outcome
    reference: bool  #: whether this is the paper's network
    failure: str  #: error message in one line, if the training failed
    params: Mapping[str, str]  #: all fields of the configuration, as text from MLflow
    metrics: Mapping[str, float]  #: last value of each metric
    values: Mapping[str, Value]  #: values of the parameters of the search space
    network: ModelConfig | None  #: architecture; None: it has fields unknown to this version
    curve: tuple[tuple[float, float], ...]  #: (training pixels, validation gain over bicubic in dB) after each epoch
    history: History = field(default_factory=History)  #: when it ran, and what the search decided about it

    @property
    def scale(self) -> int | None:
        """Upscaling factor; None if it is missing."""
        text = self.params.get(names.PARAM_SCALE, "")
        return int(text) if text.isdigit() else None

    @property
    def gain(self) -> float | None:
        """Highest gain over bicubic on the validation images in dB; None: there is no report."""
        return self.metrics.get(names.METRIC_BEST_VAL_GAIN, self.metrics.get(names.METRIC_VAL_GAIN))

    @property
    def objective(self) -> float | None:
        """Highest gain divided by the paper's gain; None: there is no report."""
        return self.metrics.get(names.METRIC_BEST_OBJECTIVE, self.metrics.get(names.METRIC_OBJECTIVE))


@dataclass(frozen=True)
class SearchData:
    """Data of a search in its store."""

    name: str
    run_id: str
    experiment_id: str
    status: str  #: status of the run in MLflow: RUNNING, FINISHED, FAILED or KILLED
    seconds: float | None  #: time from start to end; None: it has not ended
    uri: str  #: address of the store
    ui: str  #: address of MLflow's web pages; empty: the report has no links to them
    params: Mapping[str, str]  #: settings of the search
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    space: Space | None  #: search space; None: it was not logged, and its file is missing
    children: tuple[Child, ...]  #: trainings, oldest first
    verdicts: tuple[ScaleVerdict, ...] | None = None  #: verdicts of the confirmation, one per scale; None: not logged
    started: float | None = None  #: time of its start, in seconds since 1970; None: unknown
    space_text: str | None = None  #: text of the search space's file; None: it was not logged
    pictures: Mapping[int, tuple[CropPicture, ...]] = field(default_factory=dict)  #: crops of the champions, by scale

    def link(self, run_id: str | None) -> str | None:
        """Return the address of a run's page; None: the report has no links."""
        return None if run_id is None or not self.ui else run_address(self.ui, self.experiment_id, run_id)

    def of_stage(self, stage: str, scale: int | None = None) -> list[Child]:
        """Return the trainings of a stage at one scale; None: at all scales."""
        return [c for c in self.children if c.stage == stage and (scale is None or c.scale == scale)]

    @cached_property
    def by_trial(self) -> Mapping[str, Child]:
        """Trainings by trial id."""
        return {child.trial_id: child for child in self.children}

    def figure(self, child: Child, objective: str) -> float | None:
        """Return the value of an objective for a training, in its unit; None if it is unknown."""
        if objective == "gain":
            return child.objective
        if objective in ("macs", "parameters"):
            count = count_macs if objective == "macs" else count_parameters
            return None if child.network is None else float(count(child.network))
        return child.metrics.get(names.METRIC_LATENCY)

    def result(self, child: Child) -> TrialResult | None:
        """Return a training as a result for tables; None if it has no report or its architecture is unknown."""
        if child.network is None or child.objective is None or child.gain is None:
            return None
        figures = EpochFigures(
            child.objective,
            best_objective=child.objective,
            best_val_psnr=child.metrics.get(names.METRIC_BEST_VAL_PSNR, float("nan")),
            best_val_gain=child.gain,
        )
        parameters = self.figure(child, "parameters")
        report = TrialReport(
            epoch=0,  # tables show no epochs
            epochs=0,
            curve=(),
            figures=figures,
            macs=self.figure(child, "macs"),
            parameters=None if parameters is None else int(parameters),
            latency_ms=self.figure(child, "latency"),
        )
        config = TrainConfig(**child.network.model_dump())
        spec = TrialSpec(config, child.values, child.reference, label=child.name)
        return TrialResult(child.run_id, spec, child.outcome, report)

    @property
    def scales(self) -> list[int]:
        """Scales that have a training."""
        return sorted({child.scale for child in self.children if child.scale is not None})

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the objectives; the gain if they were not logged."""
        return tuple(name for name in self.kept_objectives or () if name in OBJECTIVES) or ("gain",)

    @cached_property
    def kept_objectives(self) -> tuple[str, ...] | None:
        """Names of the objectives; None: not logged as data, as in earlier versions."""
        try:
            found = json.loads(self.params.get(names.PARAM_OBJECTIVES, "null"))
        except ValueError:
            return None
        return tuple(map(str, found)) if isinstance(found, list) else None

    @property
    def test_sets(self) -> list[str]:
        """Test sets on which the confirmed configurations were measured."""
        return self.verdicts[0].sets if self.verdicts else []

    @property
    def confirmation_lost(self) -> bool:
        """Whether there was a confirmation, but its verdicts were not logged as data, as in earlier versions."""
        return self.verdicts is None and self.status == "FINISHED" and bool(self.of_stage("confirm"))

    @cached_property
    def leaks(self) -> tuple[tuple[Leak, ...], tuple[Leak, ...]]:
        """Images that show test images: (left out of training and validation, kept on request)."""
        return read_tags(self.tags)

    @property
    def commit(self) -> str:
        """Short commit of the code, with a suffix if files differed from it."""
        return short_commit(self.tags)

    @property
    def budget(self) -> float | None:
        """Training pixels of a full trial; None if unknown."""
        return self._number(names.PARAM_BUDGET)

    @property
    def confirm_budget(self) -> float | None:
        """Training pixels of a training in the confirmation; None if that is unknown."""
        given = self._number(names.PARAM_CONFIRM_BUDGET)
        return self.budget if given is None else given

    def _number(self, name: str) -> float | None:
        try:
            return float(self.params.get(name, ""))
        except ValueError:
            return None


def parents(uri: str) -> list[Run]:
    """Return the parent runs of a store, newest first.

    Raises:
        SearchError: the store cannot be read.
    """
    client = open_store(uri)
    with reading(uri):
        return sorted(parent_runs(client), key=lambda run: int(run.info.start_time or 0), reverse=True)


def find_parent(uri: str, name: str | None = None) -> Run:
    """Return the parent run with a name; None: the newest.

    Raises:
        SearchError: the store cannot be read, or there is no such run.
    """
    there = parents(uri)
    if name is not None or not there:
        return parent_named(there, name or "", uri)
    return there[0]


def web_pages(uri: str, ui: str) -> str:
    """Return the address of MLflow's web pages for links in a report; empty: no links.

    Args:
        uri: address of the tracking store.
        ui: address of the web pages if the store is not a server; empty: no links to this machine.
    """
    return (uri if uri.startswith("http") and (ui or not _LOCAL.match(uri)) else ui).rstrip("/")


def gather(uri: str, parent: Run, ui: str = "") -> SearchData:
    """Read the data for the report of a search.

    Args:
        uri: address of the tracking store.
        parent: parent run of the search.
        ui: address of MLflow's web pages, for a store that is not a server; empty: no links, unless the store is a server of
            another machine.

    Raises:
        SearchError: the store cannot be read.
    """
    client = open_store(uri)
    with reading(uri):
        space = _space(client, parent)
        runs = sorted(children_of(client, parent), key=lambda run: int(run.info.start_time or 0))
        info = parent.info
        return SearchData(
            name=parent.data.tags.get(names.TAG_SEARCH, info.run_name or info.run_id),
            run_id=info.run_id,
            experiment_id=info.experiment_id,
            status=info.status,
            seconds=None if info.end_time is None else (info.end_time - info.start_time) / 1000,
            uri=uri,
            ui=web_pages(uri, ui),
            params=dict(parent.data.params),
            tags=dict(parent.data.tags),
            metrics=dict(parent.data.metrics),
            space=space,
            children=tuple(_child(client, run, space) for run in runs),
            verdicts=read_verdicts(artifact_text(client, parent, names.ARTIFACT_VERDICTS)),
            started=None if info.start_time is None else info.start_time / 1000,
            space_text=artifact_text(client, parent, names.ARTIFACT_SPACE),
            pictures=read_pictures(client, parent.info.run_id),
        )


def _space(client: MlflowClient, parent: Run) -> Space | None:
    try:
        space = kept_space(client, parent)
    except ConfigError:  # the search has not ended, and its file is missing or of another version
        return None
    return space


def _child(client: MlflowClient, run: Run, space: Space | None) -> Child:
    tags, params = run.data.tags, fields_of(run.data.params, run.data.tags)
    curve, history = history_of(client, run)
    failed = Outcome.FAILED if run.info.status == "FAILED" else Outcome.INTERRUPTED
    outcome = tags.get(names.TAG_OUTCOME, failed)
    return Child(
        run_id=run.info.run_id,
        trial_id=tags.get(names.TAG_TRIAL, run.info.run_id),
        name=tags.get(names.TAG_CONFIGURATION) or run.info.run_name or run.info.run_id,
        stage="rung" if names.TAG_RUNG in tags else tags.get(names.TAG_STAGE, "search"),
        outcome=Outcome(outcome) if outcome in set(Outcome) else Outcome.INTERRUPTED,
        reference=tags.get(names.TAG_REFERENCE) == "True",
        failure=tags.get(names.TAG_FAILURE, ""),
        params=dict(params),
        metrics=dict(run.data.metrics),
        values=_values(space, params),
        network=network_of(params),
        curve=curve,
        history=history,
    )


def _values(space: Space | None, params: Mapping[str, str]) -> dict[str, Value]:
    try:
        return {} if space is None else values_of(space, params)
    except ValueError:  # not a number: the run has another search space
        return {}


def network_of(params: Mapping[str, str]) -> ModelConfig | None:
    """Return the architecture from a run's parameters; None: they have fields or values unknown to this version."""
    fields = {k: None if v == "None" else v for k, v in params.items() if k in ModelConfig.model_fields}
    try:
        return ModelConfig(**fields)
    except ConfigError:
        return None
