"""MLflow's monitor logs this machine on request; a real store."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from srcnn.tuning.tracking import system_metrics
from srcnn.tuning.tracking.tracker import Tracker


@pytest.fixture
def tracker(tmp_path: Path, empty: Path) -> Tracker:
    shutil.copy(empty, tmp_path)
    made = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    made.open_search("mine", {}, {})
    return made


def metrics(tracker: Tracker) -> set[str]:
    return set(tracker.client.get_run(tracker.parent_id).data.metrics)


@pytest.mark.parametrize("wanted", [False, True])
def test_the_machine_is_logged_only_on_request(tracker: Tracker, monkeypatch: pytest.MonkeyPatch, wanted: bool) -> None:
    monkeypatch.setattr(system_metrics, "_EVERY", 0.05)
    with system_metrics.system_metrics(tracker.uri, tracker.parent_id, wanted=wanted):
        end = time.monotonic() + 20
        while wanted and not metrics(tracker) and time.monotonic() < end:
            time.sleep(0.1)
    assert ("system/cpu_utilization_percentage" in metrics(tracker)) is wanted
