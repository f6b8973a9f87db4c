"""When a training ran, and what the search decided about it, from its run in MLflow."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from srcnn.tuning.tracking import names
from srcnn.tuning.trials.decision import Decision, decisions_from

__all__ = ["History", "curve_of", "history_of"]

Curve = tuple[tuple[float, float], ...]

_CURVE = (names.METRIC_PIXELS, names.METRIC_VAL_GAIN)


@dataclass(frozen=True)
class History:
    """Times are in seconds since 1970; None or empty: not kept."""

    started: float | None = None
    ended: float | None = None
    times: tuple[float, ...] = ()  #: when the driver received each report of the curve
    epochs: tuple[int, ...] = ()  #: epoch of each report of the curve
    decisions: tuple[Decision, ...] = ()  #: oldest first


def curve_of(client: MlflowClient, run: Run) -> Curve:
    """Return (training pixels, validation gain over bicubic in dB) after each report of a run."""
    return history_of(client, run)[0]


def history_of(client: MlflowClient, run: Run) -> tuple[Curve, History]:
    """Return the curve of `curve_of` and the history of a run."""
    curve: Curve = ()
    times: tuple[float, ...] = ()
    steps: list[int] = []
    if all(key in run.data.metrics for key in _CURVE):
        pixels, gains = ({m.step: m for m in client.get_metric_history(run.info.run_id, key)} for key in _CURVE)
        steps = [step for step in sorted(pixels) if step in gains]
        curve = tuple((float(pixels[step].value), float(gains[step].value)) for step in steps)
        times = tuple(gains[step].timestamp / 1000 for step in steps)
    start, end = run.info.start_time, run.info.end_time
    return curve, History(
        None if start is None else start / 1000,
        None if end is None else end / 1000,
        times,
        tuple(steps),
        _decisions(run.data.tags.get(names.TAG_DECISIONS, "")),
    )


def _decisions(text: str) -> tuple[Decision, ...]:
    try:
        return tuple(decisions_from(text)) if text else ()
    except ValueError:  # of a later version
        return ()
