"""The commit of the code, which an environment inside another checkout has not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from srcnn.system import source_commit as module
from srcnn.system.source_commit import source_commit


def test_an_environment_inside_another_checkout_has_not_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package in ``.venv`` of somebody's repository is unknown to it; in a repository of its own it has a commit."""
    here = tmp_path / "site-packages" / "source_commit.py"
    here.parent.mkdir()
    here.write_text("", encoding="utf-8")
    monkeypatch.setattr(module, "__file__", str(here))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "theirs"], check=True)
    assert source_commit() == "unknown"
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "ours"], check=True)
    assert re.fullmatch("[0-9a-f]{40}", source_commit())
