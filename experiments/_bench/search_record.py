"""Section ``search-record``: the trainings, costs and winners of a search that has ended, read from its store, in one file.

Nothing is trained or measured again. Core-seconds are the processor time of the epochs, which other programs on the machine
lengthen less than the time by the clock. Per scale and winner, ``by_pixels`` holds the gains on the validation images with every
budget that the winner's configuration was trained with: the search, the rounds of the confirmation, the seeds that chose;
``learning_curve`` says what more of them would bring.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from srcnn.errors import ConfigError
from srcnn.model.network import count_macs, count_parameters
from srcnn.tuning.report.data.search_data import Child, SearchData, find_parent, gather
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import open_store
from srcnn.tuning.trials.intervals import over_seeds
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, ScaleVerdict

from _bench.learning_curve import learning_curve
from _bench.record import Bench

__all__ = ["figures", "run_search_record"]

URI = "sqlite:///mlruns/mlflow.db"
_PLACES = ("name", "tracking_uri", "storage")  #: settings that change no result
_COLUMNS = ("scale", "stage", "configuration", "seed", "pixels", "outcome", "gain", "core_seconds")


def run_search_record(bench: Bench) -> None:
    """Read the search that ``--search`` names, keep its figures and print those of the winners."""
    if bench.search is None:
        raise ConfigError("--search: must name a search for the section search-record")
    data = gather(URI, find_parent(URI, bench.search))
    if data.verdicts is None:
        raise ConfigError(f"--search: {bench.search} must have ended with a confirmation")
    found = figures(data, _core_seconds(data))
    bench.record.put(
        "search-record", found, n=f"{len(data.children)} trainings", seed=int(data.params[names.PARAM_SEED])
    )
    _show(bench, found)


def figures(data: SearchData, core_seconds: Sequence[float]) -> dict[str, Any]:
    """Return what the file holds.

    Args:
        data: an ended search with a confirmation.
        core_seconds: processor time of each of its trainings.
    """
    hours: dict[str, float] = defaultdict(float)
    for child, seconds in zip(data.children, core_seconds, strict=True):
        hours[child.stage] += seconds / 3600
    trials = data.of_stage("search")
    return {
        "search": data.name,
        "settings": {name: value for name, value in data.params.items() if name not in _PLACES},
        "commit": data.commit,
        "space": data.space_text,
        "left_out": [str(leak) for leak in data.leaks[0]],
        "validation": data.tags.get(names.TAG_VALIDATION, "").split(", "),
        "judging": data.tags.get(names.TAG_JUDGING, "").split(", "),
        "trials": dict(Counter(child.outcome.value for child in trials)),
        "failures": dict(Counter(child.failure.partition(":")[0] for child in trials if child.failure)),
        "configurations": len({json.dumps(child.values, sort_keys=True) for child in trials}),
        "core_hours": {stage: round(value, 3) for stage, value in hours.items()}
        | {"all": round(sum(hours.values()), 3)},
        "scales": [_winner(data, verdict) for verdict in data.verdicts or ()],
        "columns": list(_COLUMNS),
        "trainings": [_row(child, seconds) for child, seconds in zip(data.children, core_seconds, strict=True)],
    }


def _core_seconds(data: SearchData) -> list[float]:
    """Return the processor time of each training in seconds, the sum over its epochs."""
    client = open_store(URI)
    histories = (client.get_metric_history(child.run_id, names.METRIC_CPU_SECONDS) for child in data.children)
    return [float(sum(one.value for one in history)) for history in histories]


def _row(child: Child, seconds: float) -> list[Any]:
    gain, pixels = child.gain, child.metrics.get(names.METRIC_PIXELS)
    return [
        child.scale,
        child.stage,
        child.name,
        int(child.params[names.PARAM_SEED]),
        pixels,
        child.outcome.value,
        None if gain is None else round(gain, 4),
        round(seconds, 1),
    ]


def _winner(data: SearchData, verdict: ScaleVerdict) -> dict[str, Any]:
    winner = verdict.ranked[0]
    chose = data.by_trial[winner.chose[0].trial_id]
    assert chose.network is not None, "a winner has a network of this version"
    gains: dict[float, list[float]] = defaultdict(list)
    for child in data.children:
        # By values, since rates are rounded in names. The gain of a judging seed is that on other images.
        finished = child.outcome is Outcome.FINISHED and child.stage != "judge"
        if finished and child.values == chose.values and child.gain is not None:
            gains[child.metrics[names.METRIC_PIXELS]].append(child.gain)
    by_pixels = [(pixels, statistics.fmean(found), len(found)) for pixels, found in sorted(gains.items())]
    return {
        "scale": verdict.scale,
        "configuration": winner.configuration,
        "fields": dict(chose.values),
        "parameters": count_parameters(chose.network),
        "macs": count_macs(chose.network),
        "by_pixels": [list(point) for point in by_pixels],
        "learning_curve": learning_curve([point[:2] for point in by_pixels]),
        "validation": {"images": verdict.validation_images, "seeds": [[one.seed, one.gain] for one in winner.chose]},
        "judging": {
            "images": verdict.judging_images,
            "seeds": [[one.seed, one.gain] for one in winner.judged],
            "gain": None if winner.gain is None else winner.gain.to_json(),
        },
        "others": [[one.configuration, one.val_gain] for one in verdict.ranked[1:]],
        "test": {name: _on(name, winner) for name in data.test_sets},
    }


def _on(name: str, winner: ConfirmedConfiguration) -> dict[str, Any]:
    """Return the PSNR of the reported seeds on a test set in dB, with mean and interval over seeds."""
    psnr = [one.psnr[name] for one in winner.counted]
    return {"seeds": psnr} | over_seeds(np.array(psnr)).to_json()


def _show(bench: Bench, found: dict[str, Any]) -> None:
    rows = []
    for one in found["scales"]:
        test = "; ".join(f"{name} {value['mean']:.3f}" for name, value in one["test"].items())
        gain = one["judging"]["gain"]
        judged = "" if gain is None else f"{gain['mean']:+.3f}"
        rows.append([f"x{one['scale']}", one["configuration"], one["parameters"], judged, test])
    hours = ", ".join(f"{stage} {value:.2f}" for stage, value in found["core_hours"].items())
    notes = [f"{found['trials']}; core-hours: {hours}", "judged: gain over bicubic on images that chose nothing"]
    bench.table(f"search {found['search']}", ["scale", "winner", "weights", "judged, dB", "test, dB"], rows, notes)
