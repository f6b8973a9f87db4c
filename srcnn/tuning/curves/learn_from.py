"""Trials of past searches that a new search can learn from: read from MLflow and translated to the new space.

A past trial overlaps the new space if the new space contains its configuration: every parameter has a value within the present
bounds or choices, and all other fields of the training are the same. Budget and seed may differ. Only trials of the stage
``search`` count, finished, stopped or failed. A trial that ended by an accident, such as a lost process, counts as far as it
came.

Configurations are read in one query for all searches, curves only for the trials that are used.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow.tracking import MlflowClient

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, SearchError, unknown_name
from srcnn.tuning.adapters.mlflow_internals import columns_of_runs
from srcnn.tuning.space.list_entries import entry_of
from srcnn.tuning.space.parameter import Categorical, Parameter, Value, contains
from srcnn.tuning.space.space import Space
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import every_run, fields_of, open_store, parent_runs, reading
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.past import ALL, PastTrial

__all__ = ["Learnt", "counted_by_search", "learn_from", "overlapping", "translated"]

#: Fields that may differ between a past trial and the new search. ``deterministic`` changes results by rounding only.
_FREE = frozenset({"pixels", "epoch_pixels", "epochs", "seed", "deterministic"})
_LISTS = {"layer_rates", "step_at"}  # numbers that MLflow has joined by a hyphen
_HYPHEN = re.compile(r"(?<=[\d.])-")  # not the minus of an exponent such as 1e-05
_STAGE = "search"


@dataclass(frozen=True)
class Learnt:
    """Past trials for a search."""

    trials: tuple[PastTrial, ...] = ()
    skipped: int = 0  #: number of trials of the same searches that do not overlap

    @property
    def sources(self) -> dict[str, int]:
        """Number of trials by search, the newest search first."""
        return dict(Counter(trial.source for trial in self.trials))

    @property
    def text(self) -> str:
        """The searches with their numbers of trials, such as ``a (48 trials), b (12)``."""
        return counted_by_search(self.sources)


def counted_by_search(sources: Mapping[str, int]) -> str:
    """Return numbers of trials by search in words, such as ``a (48 trials), b (12)``."""
    unit = " trial" if list(sources.values())[:1] == [1] else " trials"
    return ", ".join(f"{name} ({count}{'' if place else unit})" for place, (name, count) in enumerate(sources.items()))


def learn_from(wanted: Sequence[str], space: Space, uri: str, own: str = "") -> Learnt:
    """Read past trials that overlap a space.

    Args:
        wanted: names of searches, or only `ALL`: every ended search with a trial that overlaps.
        space: space of the new search.
        uri: address of the tracking store.
        own: name of the new search, which never counts as a past one.

    Raises:
        ConfigError: a named search does not exist, or none of its trials overlaps.
        SearchError: the store cannot be read.
    """
    everything = ALL in wanted
    try:
        client = open_store(uri)
    except SearchError:
        if everything:
            return Learnt()  # there is no store yet, so there are no past searches
        raise
    with reading(uri):
        parents = _searches(client, own, ended=everything)
        if not everything:
            known = list(parents.values())
            for name in wanted:
                if name not in known:
                    there = unknown_name("search", name, dict.fromkeys(known)) if known else "there is no past search"
                    raise ConfigError(f"learn_from: {there} (in {uri})")
            parents = {run_id: name for run_id, name in parents.items() if name in wanted}
        found, skipped = _overlapping(client, space, parents)
        used = Counter(name for _, name, _ in found)
        for name in () if everything else wanted:
            if not used[name]:
                raise ConfigError(
                    f"learn_from: {name} must have a trial that lies in the space {space.source}, but all "
                    f"{skipped[name]} of its trials have other values or fields"
                )
        trials = tuple(_past(client, trial, name, made) for trial, name, made in found)
        return Learnt(trials, sum(count for name, count in skipped.items() if used[name]))


def overlapping(space: Space, uri: str, own: str = "") -> dict[str, int]:
    """Return the number of overlapping trials of each ended search, newest first, without reading curves or artifacts.

    Empty if there is none, or if the store does not exist or cannot be read.
    """
    try:
        client = open_store(uri)
        with reading(uri):
            found, _ = _overlapping(client, space, _searches(client, own, ended=True))
    except SearchError:
        return {}
    return dict(Counter(name for _, name, _ in found))


def translated(space: Space, params: Mapping[str, str]) -> tuple[dict[str, Value], TrainConfig] | None:
    """Translate a past trial to a space.

    Args:
        space: the new space.
        params: parameters of the trial's run in MLflow, which has every field of its configuration.

    Returns:
        A value for every parameter of the space that exists, and the past configuration; None: the space does not contain it.
    """
    there = _config(
        tuple(sorted((k, v) for k, v in params.items() if k in TrainConfig.model_fields and k not in _FREE))
    )
    if there is None:
        return None
    values: dict[str, Value] = {}
    for name, parameter in space.parameters.items():
        if space.exists(name, values):
            entry = entry_of(name, there)
            known = _as_choice(parameter, entry)
            if (known is None and entry is not None) or not contains(parameter, known):
                return None
            values[name] = known
    try:
        here = space.to_config(values)
    except ConfigError:
        return None
    if any(getattr(here, f) != getattr(there, f) for f in TrainConfig.model_fields if f not in _FREE):
        return None
    return None if space.constraints.broken_by(here) else (values, there)


def _as_choice(parameter: Parameter, value: Value) -> Value:
    """Return a value as the space writes it: a choice 0 also stands for 0.0."""
    if isinstance(parameter, Categorical):
        same = (c for c in parameter.choices if c == value and isinstance(c, bool) == isinstance(value, bool))
        return next(same, None)
    return value


@functools.lru_cache(maxsize=4096)
def _config(fields: tuple[tuple[str, str], ...]) -> TrainConfig | None:
    """Return the configuration from a run's parameters; None: it has values that are unknown to this version."""
    given: dict[str, Any] = {}
    for name, text in fields:
        given[name] = _HYPHEN.sub(",", text) if name in _LISTS else None if text == "None" else text
    try:
        return TrainConfig(**given)
    except ConfigError:
        return None


def _searches(client: MlflowClient, own: str, *, ended: bool) -> dict[str, str]:
    """Return the name of each past search by the id of its run, newest first."""
    return {
        run.info.run_id: name
        for run in parent_runs(client)
        if run.data.tags.get(names.TAG_KIND, names.KIND_SEARCH) == names.KIND_SEARCH
        and (name := run.data.tags.get(names.TAG_SEARCH, "")) not in ("", own)
        and (not ended or run.info.status != "RUNNING")
    }


@dataclass(frozen=True)
class _Trial:
    """What is needed of a trial's run."""

    run_id: str
    params: Mapping[str, str]  #: all fields of its configuration
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def failed(self) -> bool:
        """Whether the training itself failed; an accident such as a lost process says nothing about a configuration."""
        return self.tags.get(names.TAG_OUTCOME) == Outcome.FAILED and names.TAG_FAILURE_KIND in self.tags

    @property
    def length(self) -> tuple[int, float] | None:
        """Number of epochs and target pixels of a full trial; None: they are not recorded."""
        try:
            pixels, epoch = float(self.params[names.PARAM_PIXELS]), float(self.params[names.PARAM_EPOCH_PIXELS])
        except (KeyError, ValueError):
            return None
        return (max(1, round(pixels / epoch)), pixels) if epoch > 0 else None


_Found = tuple[_Trial, str, tuple[dict[str, Value], TrainConfig]]


def _overlapping(client: MlflowClient, space: Space, parents: Mapping[str, str]) -> tuple[list[_Found], Counter[str]]:
    """Return the overlapping trials of some searches, and by search the number of trials that do not overlap."""
    found: list[_Found] = []
    skipped: Counter[str] = Counter()
    for trial in _trials(client, parents):
        name = parents[trial.tags[names.TAG_PARENT_RUN]]
        if names.METRIC_OBJECTIVE not in trial.metrics and not trial.failed:
            continue  # it has not reported anything
        made = translated(space, trial.params) if trial.length is not None else None
        if made is None or made[1].scale not in space.scales:
            skipped[name] += 1
        else:
            found.append((trial, name, made))
    # The newest search first, and the trials of a search in the order of their ids, as they were started.
    order = {run_id: place for place, run_id in enumerate(parents)}
    found.sort(key=lambda one: (order[one[0].tags[names.TAG_PARENT_RUN]], one[0].tags.get(names.TAG_TRIAL, "")))
    return found, skipped


def _trials(client: MlflowClient, parents: Mapping[str, str]) -> list[_Trial]:
    """Return the trials of the stage ``search`` of some searches."""
    experiment = client.get_experiment_by_name(names.EXPERIMENT)
    if experiment is None or not parents:
        return []
    columns = columns_of_runs(
        client,
        experiment.experiment_id,
        (names.TAG_STAGE, _STAGE),
        params=tuple(TrainConfig.model_fields),
        tags=(names.TAG_PARENT_RUN, names.TAG_TRIAL, names.TAG_OUTCOME, names.TAG_FAILURE_KIND, names.TAG_FIELDS),
        metrics=(names.METRIC_OBJECTIVE, names.METRIC_TRAIN_SECONDS),
    )
    if columns is None:
        runs = every_run(client, experiment.experiment_id, f"tags.`{names.TAG_STAGE}` = '{_STAGE}'")
        columns = {run.info.run_id: (run.data.params, run.data.tags, run.data.metrics) for run in runs}
    return [
        _Trial(run_id, fields_of(params, tags), tags, metrics)
        for run_id, (params, tags, metrics) in columns.items()
        if tags.get(names.TAG_PARENT_RUN) in parents
    ]


def _past(client: MlflowClient, trial: _Trial, name: str, made: tuple[dict[str, Value], TrainConfig]) -> PastTrial:
    length, (values, config) = trial.length, made
    assert length is not None, "only trials with a length overlap"
    known = names.METRIC_OBJECTIVE in trial.metrics
    history = client.get_metric_history(trial.run_id, names.METRIC_OBJECTIVE) if known else []
    by_step = {metric.step: float(metric.value) for metric in history}
    curve: list[float] = []
    while (value := by_step.get(len(curve) + 1)) is not None and len(curve) < length[0]:
        curve.append(value)
    seconds = trial.metrics.get(names.METRIC_TRAIN_SECONDS)
    return PastTrial(values, config.scale, tuple(curve), *length, seconds, trial.failed, name)
