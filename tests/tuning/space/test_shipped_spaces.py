"""Search spaces of the package are found by name from every folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.errors import ConfigError
from srcnn.tuning.space.shipped_spaces import readable, shipped, shipped_names
from srcnn.tuning.space.space_file import load_space

from checkout import SPACES


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("default.yaml", "default.yaml"),
        ("default", "default.yaml"),
        ("search_spaces/default.yaml", "default.yaml"),
        ("paper/depth.yaml", "paper/depth.yaml"),
        ("search_spaces/paper", "paper"),
        ("enqueue/seven-layers", "enqueue/seven-layers.yaml"),
        ("", "."),
    ],
)
def test_a_file_by_its_name(name: str, file: str) -> None:
    assert shipped(name) == SPACES / file


@pytest.mark.parametrize("name", ["nothing.yaml", "/default.yaml", "../pyproject.toml", "my/default.yaml"])
def test_no_such_file(name: str) -> None:
    assert shipped(name) is None
    assert readable(Path(name)) == Path(name)


def test_an_own_file_goes_first(elsewhere: Path) -> None:
    assert readable(Path("default.yaml")) == SPACES / "default.yaml"
    (elsewhere / "default.yaml").write_text("parameters:\n  n1: {type: categorical, choices: [8, 16]}\n")
    assert readable(Path("default.yaml")) == Path("default.yaml")
    assert list(load_space(Path("default.yaml")).parameters) == ["n1"]


def test_a_space_keeps_the_name_that_was_given() -> None:
    space = load_space(Path("search_spaces/default.yaml"))
    assert space.source == "search_spaces/default.yaml"
    assert set(space.parameters) == set(load_space(SPACES / "default.yaml").parameters)


def test_a_misspelt_name_lists_those_that_there_are() -> None:
    assert {"default.yaml", "deep.yaml", "wide.yaml"} <= set(shipped_names())
    with pytest.raises(
        ConfigError, match=r"^defualt\.yaml: cannot be read \(No such file or directory\); .*default\.yaml"
    ):
        load_space(Path("defualt.yaml"))
