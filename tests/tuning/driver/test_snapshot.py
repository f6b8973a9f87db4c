"""Copies of a state: the newest whole one counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srcnn.errors import StateVersionError
from srcnn.tuning.driver.snapshot import FOLDER, journal_length, keep_snapshot, newest_snapshot


def write_state(staging: Path, text: str) -> None:
    staging.mkdir(exist_ok=True)
    (staging / "experiment_state-2026-01-01_00-00-00.json").write_text(text, encoding="utf-8")
    (staging / "searcher-state-2026-01-01_00-00-00.pkl").write_bytes(b"searcher")


def test_the_newest_whole_copy_counts_and_two_are_kept(tmp_path: Path) -> None:
    stage, staging = tmp_path / "stage", tmp_path / "staging"
    assert newest_snapshot(stage) is None
    stage.mkdir()
    (stage / "tuner.pkl").write_bytes(b"tuner")
    for number in (1, 2, 3):
        write_state(staging, json.dumps({"state": number}))
        keep_snapshot(stage, staging, journal=100 * number)
    assert sorted(path.name for path in (stage / FOLDER).iterdir()) == ["00000002", "00000003"]
    assert journal_length([stage, tmp_path / "none"]) == 300
    (stage / FOLDER / "00000003" / "tuner.pkl").write_bytes(b"tun")  # torn
    assert journal_length([stage]) == 200
    (stage / FOLDER / "00000002" / "manifest.json").unlink()
    assert newest_snapshot(stage) is None


def test_a_state_that_tune_wrote_in_part_is_no_state(tmp_path: Path) -> None:
    stage, staging = tmp_path / "stage", tmp_path / "staging"
    stage.mkdir()
    (stage / "tuner.pkl").write_bytes(b"tuner")
    write_state(staging, "{}")
    keep_snapshot(stage, staging, journal=1)
    write_state(staging, '{"trial_data": [')
    with pytest.raises(OSError, match="incomplete"):
        keep_snapshot(stage, staging, journal=2, check=True)
    assert journal_length([stage]) == 1
    assert [path.name for path in (stage / FOLDER).iterdir()] == ["00000001"]


def test_a_snapshot_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    stage, staging = tmp_path / "stage", tmp_path / "staging"
    stage.mkdir()
    (stage / "tuner.pkl").write_bytes(b"tuner")
    write_state(staging, "{}")
    keep_snapshot(stage, staging, journal=1)
    manifest = stage / FOLDER / "00000001" / "manifest.json"
    old = json.loads(manifest.read_text(encoding="utf-8"))
    del old["format"]  # as the first version wrote it
    manifest.write_text(json.dumps(old), encoding="utf-8")
    before = sorted(path.read_bytes() for path in stage.rglob("*") if path.is_file())
    with pytest.raises(StateVersionError, match=r"resume: .*stage was written by another version.*must be 3, but is 1"):
        newest_snapshot(stage)
    assert sorted(path.read_bytes() for path in stage.rglob("*") if path.is_file()) == before
