"""A past search out of MLflow as a table of curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srcnn.errors import ConfigError, SearchError
from srcnn.tuning.curves.past_search import past_search
from srcnn.tuning.replay.methods import METHODS
from srcnn.tuning.replay.simulator import replay
from srcnn.tuning.space.space import Space
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.objective import FAILED, PAPER_GAIN

from curve_tables import SPACE


def test_a_past_search_is_read_from_mlflow(tmp_path: Path, space: Space) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracker = Tracker(uri, tmp_path / "artifacts")
    tracker.open_search("mine", {}, {"space": space.source})
    dataset = {"name": "d", "digest": "0", "images": "1"}
    for i, (params, length) in enumerate(zip(space.grid(), (9, 1, 3, 9), strict=False)):
        run = {"scale": "3", "pixels": "900.0", "epoch_pixels": "100.0", "seed": "7"}
        tracker.start_trial(str(i), "trial", {**params, **run}, {}, dataset)
        for epoch in range(1, length + 1):
            figures = {"objective": 0.1 * i + 0.01 * epoch, "epoch_seconds": 2.0, "pixels": 100.0 * epoch}
            tracker.log_epoch(str(i), epoch, figures)
        tracker.end_trial(str(i), "FINISHED", {"outcome": "finished" if length == 9 else "stopped"})
    tracker.start_trial("dead", "trial", {**space.grid()[4], **run}, {}, dataset)
    tracker.end_trial("dead", "FAILED", {"outcome": "failed"})
    tracker.log_text(SPACE, "space.yaml")
    tracker.close_search("FINISHED")
    table = past_search("mine", uri)
    assert table.epochs == 9
    rows = {json.dumps(dict(p), sort_keys=True): c for p, c in zip(table.params, table.curves, strict=True)}
    curves = [rows[json.dumps(p, sort_keys=True)][0] for p in space.grid()[:5]]
    assert curves[0].objective == pytest.approx([0.01 * e for e in range(1, 10)])
    assert curves[1].objective == pytest.approx([0.11] * 9)
    assert curves[2].pixels == tuple(100.0 * e for e in range(1, 10))
    assert curves[4].objective == (FAILED,)
    assert table.about["partial"] == 2
    assert table.quality.max() == pytest.approx(0.39 * PAPER_GAIN[3])
    trace = replay(table, METHODS["ours"], 2, seed=1)
    assert trace.steps[-1].regret == pytest.approx(0)
    assert trace.nearest > 0
    with pytest.raises(SearchError, match=r"search 'other' does not exist.*there are: mine"):
        past_search("other", uri)
    with pytest.raises(ConfigError, match="scale: must be one of those of the search, 3, but got 2"):
        past_search("mine", uri, 2)
    with pytest.raises(SearchError, match="there is no store"):
        past_search("mine", f"sqlite:///{tmp_path / 'none.db'}")
