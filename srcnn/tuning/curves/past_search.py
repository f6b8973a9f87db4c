"""A past search from MLflow as a table of curves, for replays on the user's own problem.

The record of a search is not a grid: it has few configurations, most with one run, and the weak ones were stopped
early. A stopped curve is extended by its last value, with the mean duration of its epochs. A suggested configuration
that was never run is replaced by the nearest one. So replays of such a table are biased in favour of early stopping.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from srcnn.errors import ConfigError, SearchError
from srcnn.tuning.curves.curve_table import Curve, CurveTable
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import (
    children_of,
    fields_of,
    kept_space,
    open_store,
    parent_named,
    parent_runs,
    reading,
    values_of,
)
from srcnn.tuning.trials.objective import FAILED
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["past_search"]


def past_search(name: str, uri: str, scale: int | None = None) -> CurveTable:
    """Return the trials of a search at one scale.

    Args:
        name: name of the search.
        uri: address of the tracking store.
        scale: the scale; None: the only scale of the search.

    Raises:
        SearchError: the store cannot be read, or has no such search, or the search has no curve.
        ConfigError: the search had several scales and none is given, or it did not have the given one.
    """
    client = open_store(uri)
    with reading(uri):
        parent = parent_named(parent_runs(client), name, uri)
        children = children_of(client, parent)
        space = _of_scale(kept_space(client, parent), children, scale)
        return _table(client, space, children, name, uri)


def _of_scale(space: Space, children: list[Run], scale: int | None) -> Space:
    scales = sorted(
        {int(run.data.params[names.PARAM_SCALE]) for run in children if names.PARAM_SCALE in run.data.params}
    )
    if scale is None and len(scales) > 1:
        raise ConfigError(f"scale: must be given, because the search had the scales {', '.join(map(str, scales))}")
    if scale is not None and scale not in scales:
        raise ConfigError(f"scale: must be one of those of the search, {', '.join(map(str, scales))}, but got {scale}")
    one = scale or (scales or list(space.scales))[0]
    parameters = {name: p for name, p in space.parameters.items() if name != "scale"}
    return Space(space.source, parameters, {**space.constants, "scale": one}, space.constraints)


def _table(client: MlflowClient, space: Space, children: list[Run], name: str, uri: str) -> CurveTable:
    ours = [
        run for run in children if run.data.params.get(names.PARAM_SCALE) == str(space.scales[0]) and _reported(run)
    ]
    if not ours:
        raise SearchError(f"search: {name} has no curve at x{space.scales[0]}")
    # Winners may have been trained again for longer: use only the budget that most trials had.
    (budget, epoch), _ = Counter(map(_budget, ours)).most_common(1)[0]
    ours = [run for run in ours if _budget(run) == (budget, epoch)]
    epochs = round(float(budget) / float(epoch)) if epoch != "None" else max(map(_last_step, ours))
    curves: dict[tuple[tuple[str, Value], ...], list[Curve]] = defaultdict(list)
    partial = 0
    for run in ours:
        params = tuple(values_of(space, fields_of(run.data.params, run.data.tags)).items())
        curve, whole = _curve(client, run, epochs)
        partial += not whole
        curves[params].append(curve)
    tags = ours[0].data.tags
    about = {
        "source": f"search {name}, x{space.scales[0]}, in {uri}",
        "runs": len(ours),
        "partial": partial,
        "budget": float(budget),
        **{key: tags[key] for key in (names.TAG_DEVICE, *map(names.version_tag, names.versions(tags))) if key in tags},
    }
    return CurveTable(space, epochs, tuple(map(dict, curves)), tuple(map(tuple, curves.values())), about)


def _reported(run: Run) -> bool:
    return names.METRIC_OBJECTIVE in run.data.metrics or run.data.tags.get(names.TAG_OUTCOME) == Outcome.FAILED


def _budget(run: Run) -> tuple[str, str]:
    fields = fields_of(run.data.params, run.data.tags)
    return fields.get(names.PARAM_PIXELS, "None"), fields.get(names.PARAM_EPOCH_PIXELS, "None")


def _last_step(run: Run) -> int:
    return int(run.data.metrics.get(names.METRIC_BEST_EPOCH, 1))


def _curve(client: MlflowClient, run: Run, epochs: int) -> tuple[Curve, bool]:
    """Return the curve of a run, extended to the last epoch, and whether it was complete."""

    def history(key: str) -> list[float]:
        by_step = {metric.step: float(metric.value) for metric in client.get_metric_history(run.info.run_id, key)}
        return [value for _, value in sorted(by_step.items())]

    values, seconds, pixels = (
        history(name) for name in (names.METRIC_OBJECTIVE, names.METRIC_EPOCH_SECONDS, names.METRIC_PIXELS)
    )
    seed = int(run.data.params.get(names.PARAM_SEED, 0))
    if run.data.tags.get(names.TAG_OUTCOME) == Outcome.FAILED:
        step = float(fields_of(run.data.params, run.data.tags).get(names.PARAM_EPOCH_PIXELS, 0) or 0)
        cost = sum(seconds) / len(seconds) if seconds else 1.0
        last = pixels[-1] if pixels else 0.0
        return Curve(seed, (*values, FAILED), (*seconds, cost), (*pixels, last + step)), True
    missing = epochs - len(values)
    step = pixels[-1] / len(pixels)
    return (
        Curve(
            seed,
            (*values, *[values[-1]] * missing),
            (*seconds, *[sum(seconds) / len(seconds)] * missing),
            (*pixels, *(pixels[-1] + step * (i + 1) for i in range(missing))),
        ),
        missing <= 0,
    )
