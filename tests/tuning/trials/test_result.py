"""A result survives JSON, and gives figures in place of a report."""

from __future__ import annotations

import json
import math
from pathlib import Path

from srcnn.config.training import TrainConfig
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec

SPEC = TrialSpec(TrainConfig(), {"n1": 64}, reference=True)
REPORT = TrialReport(
    9,
    9,
    (0.8,) * 9,
    EpochFigures(0.8, 0.9, 8, 31.5, 1.6, 31.4, 1.5, 1e-4, 5e-4, 3e6, 1.5, 2.0),
    macs=1.0,
    parameters=2,
    seconds=3.0,
)


def test_nothing_is_lost_in_json() -> None:
    done = TrialResult("id", SPEC, Outcome.FINISHED, REPORT, checkpoint=Path("a/b"), test={"Set5": (33.1, 0.91)})
    lost = TrialResult("id", SPEC, Outcome.FAILED, failure="its process died")
    for result in (done, lost):
        assert TrialResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_figures_are_those_of_the_last_report() -> None:
    done = TrialResult("id", SPEC, Outcome.FINISHED, REPORT)
    assert (done.objective, done.val_psnr, done.val_gain) == (0.9, 31.5, 1.6)
    assert done.values == {"gain": 0.9, "macs": 1.0, "parameters": 2.0}
    assert (done.name, done.reference, done.params) == (SPEC.name, True, {"n1": 64})
    silent = TrialResult("id", SPEC, Outcome.INTERRUPTED)
    assert math.isnan(silent.objective) and math.isnan(silent.val_psnr) and silent.values == {}
