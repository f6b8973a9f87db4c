"""The front keeps what nothing beats, scale by scale."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from PIL import Image

from srcnn.config.training import TrainConfig
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.pareto import draw_front, front, front_csv
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec


def row(name: str, gain: float, macs: float, scale: int = 3, outcome: Outcome = Outcome.FINISHED) -> TrialResult:
    figures = EpochFigures(gain, best_objective=gain, best_val_psnr=30.0 + gain, best_val_gain=gain)
    report = TrialReport(9, 9, (gain,), figures, macs=macs)
    return TrialResult(name, TrialSpec(TrainConfig(scale=scale), label=name), outcome, report)


ROWS = [
    row("small", 0.5, 1e3),
    row("beaten", 0.4, 2e3),
    row("large", 0.9, 1e5),
    row("middle", 0.7, 1e4),
    row("wasteful", 0.7, 5e4),
    row("other scale", 0.1, 9e4, scale=4),
    row(Outcome.STOPPED, 2.0, 1.0, outcome=Outcome.STOPPED),
]


def test_only_what_nothing_beats_stays() -> None:
    names = [r.name for r in front(ROWS, ("gain", "macs"))]
    assert names == ["large", "middle", "small", "other scale"]


def test_equal_trials_both_stay() -> None:
    assert len(front([row("a", 0.5, 1e3), row("b", 0.5, 1e3)], ("gain", "macs"))) == 2


def test_the_table_and_the_picture(tmp_path: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(front_csv(front(ROWS, ("gain", "macs")), ("gain", "macs")))))
    assert lines[0] == {
        "trial": "large",
        "scale": "3",
        "configuration": "large",
        "val_gain_db": "0.9000",
        "gain": "0.9",
        "macs": "100000",
    }
    draw_front(ROWS, ("gain", "macs"), tmp_path / "front.png")
    with Image.open(tmp_path / "front.png") as picture:
        assert picture.width > 500
