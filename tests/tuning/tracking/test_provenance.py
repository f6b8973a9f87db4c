"""Where a run came from, and how captions show it."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from srcnn.tuning.tracking import provenance
from srcnn.tuning.tracking.provenance import environment_tags, short_commit


def test_what_a_figure_depends_on_besides_its_configuration() -> None:
    tags = environment_tags()
    assert tags["version.torch"] == version("torch")
    assert tags["device"]
    assert {"version.python", "mlflow.source.git.commit", "mlflow.source.name"} <= set(tags)


def test_captions_show_ten_digits_and_the_mark_of_modified_files() -> None:
    assert short_commit({"mlflow.source.git.commit": "0123456789abcdef"}) == "0123456789"
    assert short_commit({"mlflow.source.git.commit": "0123456789abcdef-modified"}) == "0123456789-modified"
    assert short_commit({}) == "unknown"


def test_an_environment_inside_another_checkout_has_not_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package in ``.venv`` of somebody's repository is unknown to it; in a repository of its own it has a commit."""
    here = tmp_path / "site-packages" / "provenance.py"
    here.parent.mkdir()
    here.write_text("", encoding="utf-8")
    monkeypatch.setattr(provenance, "__file__", str(here))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "theirs"], check=True)
    assert provenance._commit() == "unknown"
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "ours"], check=True)
    assert re.fullmatch("[0-9a-f]{40}", provenance._commit())
