"""Copies of a state: the newest whole one counts."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import signal
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from srcnn.errors import SearchError, StateVersionError
from srcnn.tuning.driver import snapshot
from srcnn.tuning.driver.snapshot import (
    FOLDER,
    Snapshot,
    check_saved_state,
    journal_length,
    keep_snapshot,
    newest_snapshot,
)


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
    with pytest.raises(StateVersionError, match=r"resume: .*stage was written by another version.*must be 4, but is 1"):
        newest_snapshot(stage)
    assert sorted(path.read_bytes() for path in stage.rglob("*") if path.is_file()) == before


# Whose state it is


class Payload:
    """A pickle that makes a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stage with one snapshot, whose pickle makes the file ``it ran``."""
    monkeypatch.setenv("SRCNN_STATE", str(tmp_path / "state"))
    folder, staging = tmp_path / "search", tmp_path / "staging"
    folder.mkdir()
    (folder / "tuner.pkl").write_bytes(pickle.dumps(Payload(tmp_path / "it ran")))
    write_state(staging, '{"state": 1}')
    (staging / "search_gen_state-2026-01-01_00-00-00.json").write_bytes(pickle.dumps(Payload(tmp_path / "it ran")))
    keep_snapshot(folder, staging, journal=1)
    return folder


def _newest(stage: Path) -> Snapshot:
    found = newest_snapshot(stage)
    assert found is not None
    return found


def _refused(stage: Path, says: str) -> None:
    assert says in _newest(stage).distrust
    before = _contents(stage)
    for read in (lambda: check_saved_state(stage), lambda: _newest(stage).put_back(1)):
        with pytest.raises(SearchError, match="--trust-saved-state accepts it once") as caught:
            read()
        assert says in str(caught.value) and "\n" not in str(caught.value)
    assert _contents(stage) == before
    assert not (stage.parent / "it ran").exists()


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _manifest(stage: Path, **changes: Any) -> None:
    file = stage / FOLDER / "00000001" / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def test_ones_own_snapshot_is_trusted_and_nobody_else_can_write_it(stage: Path) -> None:
    assert _newest(stage).distrust == ""
    check_saved_state(stage)
    for path in (stage / FOLDER).rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_mask_that_lets_the_group_write_does_no_harm(tmp_path: Path, stage: Path) -> None:
    before = os.umask(0o002)
    try:
        other = tmp_path / "other"
        other.mkdir()
        (other / "tuner.pkl").write_bytes(b"tuner")
        keep_snapshot(other, tmp_path / "staging", journal=1)
    finally:
        os.umask(before)
    assert _newest(other).distrust == ""


def test_a_snapshot_without_a_seal_or_with_another_is_refused(stage: Path) -> None:
    """As one from a stranger: all digests are right."""
    _manifest(stage, seal="")
    _refused(stage, "it has no seal")
    _manifest(stage, seal="0" * 64)
    _refused(stage, "it was sealed with another key, or changed since")
    _manifest(stage, journal=2)
    _refused(stage, "changed since")


def test_a_folder_with_its_own_key_is_refused(stage: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SRCNN_STATE", str(tmp_path / "another user"))
    _refused(stage, "was sealed with a key that is not here")


def test_what_others_can_write_to_is_refused(stage: Path) -> None:
    for path in (stage, stage / FOLDER, stage / FOLDER / "00000001", stage / FOLDER / "00000001" / "tuner.pkl"):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | 0o002)
        _refused(stage, f"others can write to {path}")
        path.chmod(mode)
    assert _newest(stage).distrust == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_user_is_refused(stage: Path) -> None:
    os.chown(stage / FOLDER / "00000001" / "tuner.pkl", 12345, -1)
    _refused(stage, "belongs to user 12345")
    check_saved_state(stage, trust=True)  # the copy is one's own
    assert _newest(stage).distrust == ""
    os.chown(stage, 12345, -1)
    _refused(stage, "belongs to user 12345")
    check_saved_state(stage, trust=True)  # no seal helps, so it holds for this process
    check_saved_state(stage)
    snapshot._accepted.clear()
    _refused(stage, "belongs to user 12345")


def test_once_accepted_it_is_sealed(stage: Path, tmp_path: Path) -> None:
    _manifest(stage, seal="")
    (tmp_path / "search" / "confirm-8").mkdir()
    shutil.copytree(stage / FOLDER, stage / "confirm-8" / FOLDER)
    check_saved_state(stage, trust=True)
    check_saved_state(stage)
    assert _newest(stage).journal == 1
    assert not (tmp_path / "it ran").exists()  # accepting reads no pickle
    with pytest.raises(TypeError):  # Tune's state is no longer one after Path.touch
        _newest(stage).put_back(1)  # and now it is read
    assert (tmp_path / "it ran").exists()


@pytest.mark.parametrize("at", ["mkdir", "file", "manifest", "rename"])
def test_a_kill_at_any_write_leaves_a_state_that_is_accepted(
    stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """What is on the disk at a kill before a write, or in the middle of it, is what an exception leaves that nothing handles."""

    class Killed(BaseException):
        pass

    calls: list[str] = []
    write = snapshot._write

    def kill(*_: object) -> None:
        raise Killed

    def torn(file: Path, content: bytes) -> None:
        calls.append(file.name)
        if (file.name == "manifest.json") if at == "manifest" else (at == "file"):
            file.write_bytes(content[: len(content) // 2])
            raise Killed
        write(file, content)

    if at == "rename":
        monkeypatch.setattr("srcnn.tuning.driver.snapshot.os.replace", kill)
    elif at == "mkdir":
        monkeypatch.setattr(snapshot, "keep_to_yourself", kill)
    else:
        monkeypatch.setattr(snapshot, "_write", torn)
    with pytest.raises(Killed):
        keep_snapshot(stage, tmp_path / "staging", journal=2)
    monkeypatch.undo()
    monkeypatch.setenv("SRCNN_STATE", str(tmp_path / "state"))
    assert (_newest(stage).journal, _newest(stage).distrust) == (1, "")
    check_saved_state(stage)
    keep_snapshot(stage, tmp_path / "staging", journal=3)
    assert (_newest(stage).journal, _newest(stage).distrust) == (3, "")


def test_a_manifest_cannot_name_files_elsewhere(stage: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    digest = hashlib.sha256(b"secret").hexdigest()
    for name in ("../../../secret", str(tmp_path / "secret"), "secret", "/dev/zero"):
        _manifest(stage, files={name: digest})
        assert newest_snapshot(stage) is None


_CALLS = ("open", "mkdir", "fsync", "link", "unlink", "replace", "chmod", "close")


def _killed_before_call(number: int, write: Callable[[], object]) -> bool:
    """Run a function in a child that is killed before a system call; return whether it came so far."""
    child = os.fork()
    if not child:
        left = iter(range(number))

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(*arguments: Any, **options: Any) -> Any:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **options)

            return wrapped

        for name in _CALLS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            write()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("accepted", [False, True])
def test_killed_before_each_call_a_state_is_accepted_or_not_there(
    tmp_path: Path, stage: Path, monkeypatch: pytest.MonkeyPatch, *, accepted: bool
) -> None:
    """Also the first one of a user, for which the key is made; and that of a stranger which is accepted."""
    monkeypatch.setenv("SRCNN_STATE", str(tmp_path / "new state"))
    staging, new = tmp_path / "staging", stage if accepted else tmp_path / "new"
    new.mkdir(exist_ok=True)
    (new / "tuner.pkl").write_bytes(b"tuner")
    number = 0
    accept = partial(check_saved_state, new, trust=True)
    while _killed_before_call(number, accept if accepted else partial(keep_snapshot, new, staging, number)):
        found = newest_snapshot(new)
        if accepted:
            assert found is not None
            assert found.distrust == "" or found.folder.name == "00000001"
        else:
            assert found is None or (found.distrust, found.journal) == ("", number)
            shutil.rmtree(new / FOLDER, ignore_errors=True)
        number += 1
    assert number >= 12
    assert _newest(new).distrust == ""
