"""The cache lies where the environment says, in the order of the XDG base directory specification."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from srcnn.errors import ConfigError
from srcnn.system.folders import cache_folder, check_file, check_folder, typed_path


def test_the_first_of_the_settings_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SRCNN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == tmp_path / ".cache" / "srcnn"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "srcnn"
    monkeypatch.setenv("SRCNN_CACHE", "~/own")
    assert cache_folder() == tmp_path / "own"


def test_a_home_folder_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ConfigError, match="storage: there is no home folder for '~nobody-here', but got '~nobody-here/x'"
    ):
        typed_path("~nobody-here/x", "storage")
    monkeypatch.setenv("SRCNN_CACHE", "~nobody-here")
    with pytest.raises(ConfigError, match="SRCNN_CACHE: there is no home folder"):
        cache_folder()


@pytest.mark.parametrize("given", ["", "  ", "a\0b"])
def test_what_is_no_path(given: str) -> None:
    with pytest.raises(ConfigError, match="train: must be a path, but got"):
        typed_path(given, "train")


def test_where_a_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "none" / "at all")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    check_folder(tmp_path, "--out")
    check_folder(tmp_path / "new" / "below", "--out")
    for name, says in {
        "file": "must be a folder, but got the file ",
        "file/below/more": "must be a folder, but got the file ",
        "link": "which is no folder",
        "loop/below": "which is no folder|Too many levels",
        "pipe": "which is no folder",
        "n" * 300: r"n\.\.\. \(\d+ characters\) \(File name too long\)",
    }.items():
        with pytest.raises(
            ConfigError, match=f"^--out: must be a folder, but got .*{says.removeprefix('must be a folder, but got ')}"
        ):
            check_folder(tmp_path / name, "--out")


def test_where_a_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    check_file(tmp_path / "file", "--json")
    check_file(tmp_path / "new" / "file", "--json")
    check_file(Path("/dev/stdout"), "--json")
    for name in (".", "file/below", "loop", "n" * 300):
        with pytest.raises(ConfigError, match=r"^--json: must be a file in a folder, but got "):
            check_file(tmp_path / name, "--json")
