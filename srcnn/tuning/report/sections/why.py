"""`why`: one paragraph about a trial: why it was started, paused, resumed and ended, by what the search believed then."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from srcnn.config.quantities import counted
from srcnn.errors import SearchError
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import every_run, fields_of, open_store, reading
from srcnn.tuning.trials.decision import Decision, decisions_from
from srcnn.tuning.trials.objective import PAPER_GAIN
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["why"]

_MOST_NAMED = 5  # trials that a refusal names
_HOUR = 3600.0

_STARTED = {
    "given": "it was given to run before anything was suggested",
    "grid": "it is the next combination of the grid",
    "random": "it belongs to the share of trials that are drawn at random",
}


def why(uri: str, trial: str) -> str:
    """Return the paragraph.

    Args:
        uri: address of the tracking store.
        trial: id of the trial, the beginning of an id that no other trial has, or id of its run in MLflow.

    Raises:
        SearchError: the store cannot be read, or there is no such trial, or there are several.
    """
    client = open_store(uri)
    with reading(uri):
        run = _find(client, trial, uri)
        parent_id = run.data.tags.get(names.TAG_PARENT_RUN, "")
        search = client.get_run(parent_id).data.tags.get(names.TAG_SEARCH, "") if parent_id else ""
    tags = run.data.tags
    name = tags.get(names.TAG_CONFIGURATION) or run.info.run_name or run.info.run_id
    parts = [f"Trial {tags.get(names.TAG_TRIAL, run.info.run_id)} of {search or 'an unnamed search'}, {name}:"]
    scale = int(run.data.params.get(names.PARAM_SCALE, 0))
    text, decisions = tags.get(names.TAG_DECISIONS, ""), list[Decision]()
    try:
        decisions = decisions_from(text) if text else []
    except ValueError:
        parts.append("what the search recorded about its decisions cannot be read by this version.")
    else:
        if not decisions:
            parts.append(_unrecorded(tags.get(names.TAG_STAGE, "search")))
    parts += [_sentence(decision, scale) for decision in decisions]
    parts.append(_end(run, decisions))
    return " ".join(parts)


def _find(client: MlflowClient, trial: str, uri: str) -> Run:
    experiment = client.get_experiment_by_name(names.EXPERIMENT)
    found: list[Run] = []
    if experiment is not None and trial.replace("_", "").replace("-", "").isalnum():
        like = f"tags.`{names.TAG_TRIAL}` LIKE '{trial}%'"  # in which _ stands for any character
        near = every_run(client, experiment.experiment_id, like)
        found = [run for run in near if run.data.tags[names.TAG_TRIAL].startswith(trial)]
        found = [run for run in found if run.data.tags[names.TAG_TRIAL] != names.PARENT]
        found = [run for run in found if run.data.tags[names.TAG_TRIAL] == trial] or found
    if len(found) == 1:
        return found[0]
    if found:
        ids = [f"{run.data.tags[names.TAG_TRIAL]} (run {run.info.run_id})" for run in found]
        raise SearchError(f"why: {trial!r} must mean one trial, but {len(found)} begin so: {_some(ids)} (in {uri})")
    try:
        run = client.get_run(trial)
    except MlflowException:
        run = None
    if run is not None and names.TAG_PARENT_RUN in run.data.tags:
        return run
    every = [] if experiment is None else every_run(client, experiment.experiment_id, "")
    known = list(
        dict.fromkeys(t for r in every if (t := r.data.tags.get(names.TAG_TRIAL, names.PARENT)) != names.PARENT)
    )
    if not known:
        raise SearchError(f"why: trial {trial!r} does not exist; there is none in {uri}")
    near_ids = difflib.get_close_matches(trial, known, n=_MOST_NAMED, cutoff=0.0)
    raise SearchError(f"why: trial {trial!r} does not exist; the nearest names are {', '.join(near_ids)} (in {uri})")


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return ", ".join(texts[:_MOST_NAMED]) + more


def _unrecorded(stage: str) -> str:
    if stage == "search":
        return "no decision about it was recorded, as in searches of earlier versions."
    purposes = {
        "confirm": "to confirm one of the best configurations from a new seed, for the choice of the winner",
        "judge": "to judge the winner against the paper's network from a new seed",
        "table": "because it is a cell of the table",
    }
    return f"it was started {purposes.get(stage, f'by the stage {stage}')}, not because of a prediction."


def _sentence(decision: Decision, scale: int) -> str:
    """Return what was decided, and what the model believed then."""
    at, believed = f"after epoch {decision.epoch}", _belief(decision, scale)
    # What the model believed is the reason only where the model decided.
    by_model = decision.by == "model"
    reason = f"; {believed}" if believed else ""
    if decision.kind == "start":
        first = _STARTED.get(decision.by)
        if first is None:
            first = "the model chose it" if believed else "the model chose it, without a recorded prediction"
        text = f"It was started because {first}{reason}"
        if by_model and decision.rivals:
            text += (
                f"; {counted(decision.rivals, 'waiting trial')} {'was' if decision.rivals == 1 else 'were'} worth less"
            )
    elif decision.kind == "pause":
        whom = f" because {decision.instead} got its slot" if decision.instead else ""
        among = f", compared with {counted(decision.rivals, 'waiting trial')}" if decision.rivals else ""
        text = f"It was paused {at}{whom}{among}{reason}"
    elif decision.kind == "resume":
        over = f" before {counted(decision.rivals, 'other waiting trial')}" if decision.rivals else ""
        text = f"It was resumed {at}{over}" + (
            reason if by_model else f" by the {decision.by} share of decisions{reason}"
        )
    elif decision.kind == "stop":
        whom = f", and {decision.instead} got its slot" if decision.instead else ""
        text = f"It was stopped {at}{whom}{reason}"
    else:
        text = f"It reached its last epoch, {decision.epoch}{reason}"
    return f"{text} ({decision.note})." if decision.note else f"{text}."


def _belief(decision: Decision, scale: int) -> str:
    """Return the prediction in dB; without a scale, in units of the objective."""
    unit, factor = (" dB", PAPER_GAIN[scale]) if scale in PAPER_GAIN else (" of the paper's gain", 1.0)
    parts = []
    if decision.predicted is not None:
        spread = "" if decision.spread is None else f" ± {decision.spread * factor:.2f}"
        parts.append(f"its gain at the end was expected to be {decision.predicted * factor:.2f}{spread}{unit}")
    if decision.best is not None:
        named = f", {decision.best_name}" if decision.best_name else ""
        gain = f"{decision.best * factor:.2f}{unit}"
        if parts:
            parts.append(f"against {gain} for the best of x{scale} then{named}")
        else:
            parts.append(
                f"the best of x{scale} then{named}, was expected to end at {gain}".replace("then, was", "then was")
            )
    text = " ".join(parts)
    if decision.value is not None:
        worth = f"going on with it was worth {decision.value * factor * _HOUR:.2g}{unit} per core-hour"
        text = f"{text}, and {worth}" if text else worth
    return text


def _end(run: Run, decisions: Sequence[Decision]) -> str:
    """Return how the trial ended, or what it does now."""
    tags, metrics = run.data.tags, run.data.metrics
    done, epochs = _epochs(run)
    gain = metrics.get(names.METRIC_BEST_VAL_GAIN)
    best = "" if gain is None else f", with a best gain of {gain:.2f} dB"
    at = "before its first report" if not done else f"after epoch {done}" + (f" of {epochs}" if epochs else "")
    outcome = tags.get(names.TAG_OUTCOME, "")
    last = decisions[-1].kind if decisions else ""
    if outcome == Outcome.WAITING:
        return f"It waits {at} for its turn{best}."
    if outcome == Outcome.FINISHED:
        return f"It finished {at}{best}."
    if outcome == Outcome.STOPPED:
        if last == "pause":
            return (
                f"It was never resumed: no free slot went to it until the end of the search, so it was closed as stopped "
                f"{at}{best}."
            )
        if last == "stop":
            return f"It ended there, {at}{best}."
        return f"It was stopped early {at}{best}."
    if outcome == Outcome.FAILED or run.info.status == "FAILED":
        return f"It failed {at}: {tags.get(names.TAG_FAILURE, 'the reason was not recorded')}."
    if run.info.status == "RUNNING":
        return f"It is running, {at}{best}."
    return f"It was interrupted {at}, because the search ended first{best}; resuming the search continues it."


def _epochs(run: Run) -> tuple[int, int]:
    """Return the number of reported epochs and that of a full trial; 0 if not recorded."""
    params = fields_of(run.data.params, run.data.tags)
    try:
        pixels, each = float(params[names.PARAM_PIXELS]), float(params[names.PARAM_EPOCH_PIXELS])
    except (KeyError, ValueError):
        return int(run.data.metrics.get(names.METRIC_BEST_EPOCH, 0)), 0
    return round(run.data.metrics.get(names.METRIC_PIXELS, 0.0) / each), round(pixels / each)
