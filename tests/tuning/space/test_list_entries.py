"""Names of entries of lists: n1, f2, rest, last."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.tuning.space.list_entries import to_fields
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space_file import load_space

from space_text import DEEP, write


def test_the_papers_names_become_entries_of_lists(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "parameters:\n  n1: {type: categorical, choices: [48]}\n  f2: {type: int, low: 3, high: 5, step: 2}\n"
        "constants:\n  filters: 64-24\n  scale: 4\n",
    )
    space = load_space(path)
    config = space.to_config({"n1": 48, "f2": 3})
    assert config.filters == (48, 24)
    assert config.kernels == (9, 3, 5)
    assert space.scales == (4,)


@pytest.mark.parametrize(
    ("values", "kernels", "filters"),
    [
        ({"depth": 2, "n1": 16, "f1": 9, "f_last": 7}, (9, 7), (16,)),
        ({"depth": 3, "n1": 8, "n2": 8, "f1": 9, "f2": 3, "f_last": 5}, (9, 3, 5), (8, 8)),
        ({"depth": 4, "n1": 8, "n2": 8, "n3": 4, "f1": 9, "f2": 1, "f3": 3, "f_last": 7}, (9, 1, 3, 7), (8, 8, 4)),
    ],
)
def test_depth_gives_the_lists_their_length(
    tmp_path: Path, values: dict[str, Value], kernels: tuple[int, ...], filters: tuple[int, ...]
) -> None:
    space = load_space(write(tmp_path, DEEP))
    given: dict[str, Value] = {**values, "optimizer": "muon"}
    config = space.to_config(given)
    assert config.kernels == kernels
    assert config.filters == filters
    assert config.depth == values["depth"]
    # And back: the space describes the network by the values that made it.
    assert space.values_of(config, ("kernels", "filters")) == values
    assert space.check(given) == ""


def test_rest_names_every_entry_that_has_no_name_of_its_own(tmp_path: Path) -> None:
    text = (
        "parameters:\n  depth: {type: int, low: 2, high: 5}\n  n1: {type: categorical, choices: [48, 64]}\n"
        "  n_rest: {type: categorical, choices: [16, 32]}\n  f1: {type: categorical, choices: [9, 3]}\n"
        "  f_rest: {type: categorical, choices: [3, 1]}\n  f_last: {type: categorical, choices: [5]}\n"
    )
    space = load_space(write(tmp_path, text))
    values: dict[str, Value] = {"depth": 5, "n1": 48, "n_rest": 16, "f1": 9, "f_rest": 3, "f_last": 5}
    made = space.to_config(values)
    assert (made.kernels, made.filters) == ((9, 3, 3, 3, 5), (48, 16, 16, 16))
    assert space.to_config({**values, "depth": 2}).kernels == (9, 5)
    assert space.values_of(made, ("kernels", "filters")) == values
    paper = TrainConfig(kernels=(9, 1, 5), filters=(64, 32))
    assert space.values_of(paper, ("kernels", "filters")) == {**values, "depth": 3, "n1": 64, "n_rest": 32, "f_rest": 1}
    assert space.values_of(paper.replace(kernels=(9, 3, 1, 5), filters=(64, 32, 32)), ("kernels", "filters")) is None
    every = load_space(
        write(
            tmp_path, "parameters:\n  f_rest: {type: categorical, choices: [3, 5]}\nconstants: {depth: 4, n_rest: 8}\n"
        )
    )
    assert every.to_config({"f_rest": 5}).kernels == (5, 5, 5, 5)


def test_entries_beyond_the_depth_are_left_out_and_f_last_is_the_last(tmp_path: Path) -> None:
    text = "parameters:\n  depth: {type: int, low: 2, high: 3}\n  f2: {type: categorical, choices: [3]}\n"
    space = load_space(write(tmp_path, text + "constants:\n  f3: 7\n"))
    assert space.to_config({"depth": 2, "f2": 3}).kernels == (9, 3)
    assert space.to_config({"depth": 3, "f2": 3}).kernels == (9, 3, 7)
    space = load_space(write(tmp_path, text + "constants:\n  f3: 7\n  f_last: 5\n"))
    assert space.to_config({"depth": 2, "f2": 3}).kernels == (9, 5)
    assert space.to_config({"depth": 3, "f2": 3}).kernels == (9, 3, 5)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"depth": 10**12, "n_rest": 8}, "depth: must be at most 1000, but got 1000000000000"),
        ({"n1000000000": 8}, "n1000000000: must be an entry of one of 1000 layers at most"),
        ({"f1000000000": 3}, "f1000000000: must be an entry of one of 1000 layers at most"),
    ],
)
def test_lists_without_end_are_refused_before_they_are_made(values: dict[str, Value], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        to_fields(values)
