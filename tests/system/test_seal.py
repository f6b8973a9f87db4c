"""Seals: made with a key that only this user can read, and refused with any other."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import stat
from pathlib import Path

import pytest

from srcnn.system.seal import keep_to_yourself, key_file, seal, sealed, strangers


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRCNN_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_seal_is_the_hmac_of_rfc_2104_under_the_kept_key(state: Path) -> None:
    made = seal(b"content")
    assert made == hmac.new((state / "seal.key").read_bytes(), b"content", hashlib.sha256).hexdigest()
    assert sealed(b"content", made) == ""
    assert seal(b"content") == made
    assert stat.S_IMODE((state / "seal.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert [path.name for path in state.iterdir()] == ["seal.key"]


def test_other_content_another_key_and_no_seal_are_told_apart(state: Path) -> None:
    made = seal(b"content")
    assert sealed(b"Content", made) == sealed(b"content", "ü" * 64) == "was sealed with another key, or changed since"
    assert sealed(b"content", "") == "has no seal"
    (state / "seal.key").write_bytes(bytes(32))
    assert "another key" in sealed(b"content", made)
    (state / "seal.key").unlink()
    assert "with a key that is not here" in sealed(b"content", made)
    assert not (state / "seal.key").exists()


def test_a_key_that_others_could_read_is_not_used(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = seal(b"content")
    (state / "seal.key").chmod(0o640)
    assert "nobody else can read" in sealed(b"content", made)
    with caplog.at_level(logging.WARNING):
        assert seal(b"content") == ""
    assert "--trust-saved-state is needed" in caplog.text
    (state / "seal.key").chmod(0o600)
    (state / "seal.key").write_bytes(bytes(5))
    assert "must have 32 bytes" in sealed(b"content", made)
    (state / "seal.key").unlink()
    (state / "seal.key").symlink_to("/dev/zero")
    assert seal(b"content") == ""


def test_without_a_writable_folder_there_is_no_seal(state: Path) -> None:
    state.write_text("a file where the folder must be", encoding="utf-8")
    assert seal(b"content") == ""


def test_the_key_lies_in_the_state_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SRCNN_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert key_file() == Path("/x/srcnn/seal.key")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert key_file() == tmp_path / ".local/state/srcnn/seal.key"


def test_strangers_are_those_who_own_or_may_write(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.touch(0o644)
    assert strangers(file) == strangers(tmp_path) == ""
    file.chmod(0o664)
    assert strangers(file) == f"others can write to {file} (mode 664)"
    (tmp_path / "link").symlink_to(file)
    assert "neither a file nor a folder" in strangers(tmp_path / "link")
    if os.geteuid() == 0:
        os.chown(file, 12345, -1)
        assert f"{file} belongs to user 12345" in strangers(file)


def test_the_right_to_write_is_taken_from_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    keep_to_yourself(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    keep_to_yourself(tmp_path / "missing")
