"""What runs before anything is sampled: the paper's network, the article's, and a person's own list."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.tuning.space.first_trials import enqueued, from_file
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space

from checkout import SPACES

SMALL = """\
parameters:
  depth: {type: categorical, choices: [3, 4]}
  n1: {type: categorical, choices: [32, 64]}
  n2: {type: categorical, choices: [16, 32]}
  n3: {type: categorical, choices: [16], when: {depth: 4}}
  f2: {type: categorical, choices: [1, 5]}
  f3: {type: categorical, choices: [3], when: {depth: 4}}
  f_last: {type: categorical, choices: [5]}
  optimizer: {type: categorical, choices: [sgd, muon]}
  momentum: {type: float, low: 0.5, high: 0.95, when: {optimizer: sgd}}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-3, log: true}
constants:
  f1: 9
"""


def space(tmp_path: Path, text: str = SMALL) -> Space:
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return load_space(path)


def rows_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "first.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["default", "wide", "layers", "subpixel"])
def test_the_papers_network_comes_first_once_for_each_scale(name: str) -> None:
    known = load_space(SPACES / f"{name}.yaml")
    rows, references = enqueued(known, ("paper",))
    assert references == len(rows) == 3
    for row, scale in zip(rows, (2, 3, 4), strict=True):
        # All of it is fixed, so that the row to measure others against trains by our defaults.
        assert known.to_config(row) == TrainConfig(scale=scale)


def test_the_articles_network_follows_where_the_space_holds_it() -> None:
    known = load_space(SPACES / "subpixel.yaml")
    rows, references = enqueued(known, None)
    assert references == 3
    configs = [known.to_config(row) for row in rows]
    assert [c.upsampling for c in configs] == ["bicubic"] * 3 + ["pixel_shuffle"] * 3
    assert {c.name for c in configs} == {"9-1-5 (64-32)"}
    assert enqueued(known, ("article",)) == (rows[3:], 0)
    assert enqueued(known, ("article", "paper")) == (rows, 3)


def test_a_network_that_the_space_lacks_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    known = space(tmp_path)
    rows, references = enqueued(known, None)
    assert len(rows) == references == 1  # the article's has another way of upsampling
    with pytest.raises(
        ConfigError, match=r"enqueue: .*space\.yaml does not contain the network of 'article', 9-1-5 \(64-32\)"
    ):
        enqueued(known, ("article",))


def test_a_network_that_breaks_a_constraint_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    tight = space(tmp_path, SMALL + "constraints:\n  max_parameters: 8000\n")
    assert enqueued(tight, None) == ((), 0)
    with pytest.raises(ConfigError, match=r"'paper'.*max_parameters: must not exceed 8000, but .* has 8129"):
        enqueued(tight, ("paper",))


def test_a_file_gives_rows_that_need_not_be_whole(tmp_path: Path) -> None:
    known = space(tmp_path)
    path = rows_of(tmp_path, "- {n1: 64, learning_rate: 5.0e-4}\n- depth: 4\n  n3: 16\n  f3: 3\n")
    expected = [{"n1": 64, "learning_rate": 5e-4}, {"depth": 4, "n3": 16, "f3": 3}]
    assert from_file(path, known) == expected
    rows, references = enqueued(known, (str(path), "paper"))
    assert references == 1
    assert list(rows[1:]) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {n1: 64}\n- {n1: 63}\n", (":2:", "n1", "one of 32, 64", "63")),
        ("- {n1: 64}\n\n- {learning_rate: 5.0e-3}\n", (":3:", "learning_rate", "from 0.0001 to 0.001", "0.005")),
        ("- {learning_rate: 5e-4}\n", (":1:", "learning_rate", "'5e-4'")),  # YAML reads a word here
        ("- {n4: 16}\n", (":1:", "n4", "n1")),
        ("- {kernels: 9-1-5}\n", (":1:", "parameter 'kernels' does not exist")),
        ("- {n3: 16}\n", (":1:", "n3", "exists only when depth is 4")),
        ("- {depth: 3, n3: 16}\n", (":1:", "n3", "exists only when depth is 4")),
        ("- {optimizer: muon, momentum: 0.9}\n", (":1:", "momentum", "exists only when optimizer is sgd")),
        ("- {1: 2}\n", (":1:", "mapping", "{1: 2}")),
        ("- n1\n", (":1:", "mapping", "'n1'")),
        ("- {}\n", (":1:", "mapping", "{}")),
        ("n1: 64\n", (":1:", "list")),
        ("", (":1:", "list")),
        ("- {n1: 64\n", (":2:", "YAML")),
        ("- {n1: !secret 64}\n", (":1:", "YAML", "!secret")),
    ],
)
def test_a_row_outside_the_space_is_named_with_its_place(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    path = rows_of(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        enqueued(space(tmp_path), (str(path),))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_row_that_breaks_a_constraint_whatever_is_added_is_refused(tmp_path: Path) -> None:
    known = space(tmp_path, SMALL + "constraints:\n  max_parameters: 9000\n")
    assert from_file(rows_of(tmp_path, "- {n1: 64}\n"), known) == [{"n1": 64}]
    with pytest.raises(ConfigError, match=r"first\.yaml:1: max_parameters: must not exceed 9000"):
        from_file(rows_of(tmp_path, "- {n1: 64, f2: 5}\n"), known)


def test_a_row_is_not_refused_for_what_may_be_added_to_it(tmp_path: Path) -> None:
    known = space(
        tmp_path,
        "parameters:\n  patch_size: {type: categorical, choices: [40, 14]}\n"
        "  kernels: {type: categorical, choices: [5-1-5, 9-5-5]}\n",
    )
    for row in ("patch_size: 14", "kernels: 9-5-5"):
        assert len(from_file(rows_of(tmp_path, f"- {{{row}}}\n"), known)) == 1
    with pytest.raises(ConfigError, match="patch_size: unpadded kernels 9-5-5 need more than 16 pixels"):
        from_file(rows_of(tmp_path, "- {patch_size: 14, kernels: 9-5-5}\n"), known)


def test_a_missing_file_is_named_and_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"enqueue: papr: cannot be read .*; or give paper or article"):
        enqueued(space(tmp_path), ("papr",))
