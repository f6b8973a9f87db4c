"""Search spaces: every file of the project loads, and a mistake is named with its line."""

from __future__ import annotations

import random
from pathlib import Path

import optuna
import pytest

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space_file import load_space

from checkout import SPACES

FILES = sorted(SPACES.glob("*.yaml"))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_space_of_the_project_loads_and_suggests(path: Path) -> None:
    space = load_space(path)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(30):
        values = space.suggest(study.ask())
        config = space.to_config(values, pixels=1e6)
        assert config.scale in space.scales
    text = path.read_text(encoding="utf-8")
    for heading in ("# Question:", "# Command:", "# Cost:", "# Expect:"):
        assert heading in text


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


GOOD = "parameters:\n  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}\n"
DEPTH = "parameters:\n  depth: {type: categorical, choices: [3, 4]}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("parameters:\n  lerning_rate: {type: float, low: 1, high: 2}\n", (":2:", "lerning_rate", "learning_rate")),
        ("parameters:\n  learning_rate: {type: float, low: 2, high: 1}\n", (":2:", "low", "2.0 > 1.0")),
        ("parameters:\n  learning_rate: {type: float, low: 0, high: 1, log: true}\n", (":2:", "positive", "0.0")),
        ("parameters:\n  learning_rate: {type: float, low: 0, high: 1}\n", (":2:", "learning_rate", "greater than 0")),
        ("parameters:\n  kernels: {type: categorical, choices: [9-1-5, 9-2-5]}\n", (":2:", "odd", "9-2-5")),
        ("parameters:\n  kernels: {type: categorical, choices: []}\n", (":2:", "choices")),
        ("parameters:\n  kernels: {type: categorical, choices: [9-1-5, 9-1-5]}\n", (":2:", "differ")),
        ("parameters:\n  kernels: {type: choice, choices: [9-1-5]}\n", (":2:", "kernels", "choice")),
        ("parameters:\n  kernels: {choices: [9-1-5]}\n", (":2:", "type", "missing")),
        ("parameters:\n  kernels: 9-1-5\n", (":2:", "kernels", "mapping")),
        ("parameters:\n  n1: {type: int, low: 1, high: 9, steps: 2}\n", (":2:", "steps")),
        ("parameters:\n  n1: {type: int, low: 1, high: 8, step: 2}\n", (":2:", "step", "divide")),
        ("parameters:\n  scale: {type: categorical, choices: [2, 5]}\n", (":2:", "scale", "5")),
        (GOOD + "  learning_rate: {type: float, low: 1, high: 2}\n", (":3:", "twice")),
        (GOOD + "constants:\n  learning_rate: 1\n", ("learning_rate", "both")),
        (GOOD + "constants:\n  optimiser: sgd\n", (":4:", "optimiser", "optimizer")),
        (GOOD + "constant:\n  optimizer: sgd\n", (":3:", "constant", "constants")),
        ("constants:\n  optimizer: sgd\n", ("parameters",)),
        ("parameters: [1\n", ("YAML",)),
        ("", (":1:", "mapping")),
        # conditions
        (GOOD + "  n1: {type: categorical, choices: [8], when: 3}\n", (":3:", "n1.when", "map", "3")),
        (GOOD + "  n1: {type: categorical, choices: [8], when: {depth: 3}}\n", (":3:", "n1.when", "before", "depth")),
        (GOOD + "  n1: {type: categorical, choices: [8], when: {n1: 8}}\n", (":3:", "n1.when", "before", "n1")),
        (DEPTH + "  n3: {type: categorical, choices: [8], when: {depth: 5}}\n", (":3:", "n3.when.depth", "3, 4", "5")),
        (DEPTH + "  n3: {type: categorical, choices: [8], when: {depth: '4'}}\n", (":3:", "n3.when.depth", "'4'")),
        # depth
        (DEPTH, (":2:", "n3: must be given as a parameter or a constant, because depth is 4")),
        (DEPTH + "  n3: {type: categorical, choices: [8], when: {depth: 4}}\n", (":2:", "f3: must be given as")),
        ("parameters:\n  depth: {type: int, low: 1, high: 3}\n", (":2:", "depth", "whole number of at least 2", "1")),
        ("parameters:\n  depth: {type: categorical, choices: [three]}\n", (":2:", "depth", "'three'")),
        (
            "parameters:\n  f5: {type: categorical, choices: [3]}\n",
            (":2:", "f3: must be given as a parameter or a constant, because kernels has 5"),
        ),
        ("parameters:\n  f1: {type: int, low: 4, high: 5}\n", (":2:", "kernels", "odd", "4")),
        ("parameters:\n  f0: {type: int, low: 4, high: 5}\n", (":2:", "f0", "does not exist")),
        # constraints
        (GOOD + "constraints:\n  max_mac: 1000\n", (":4:", "max_mac", "max_macs")),
        (GOOD + "constraints:\n  max_macs: 0\n", (":4:", "max_macs", "above 0", "0")),
        (GOOD + "constraints:\n  max_macs: many\n", (":4:", "max_macs", "number", "'many'")),
        (GOOD + "constraints: 5\n", (":3:", "constraints", "mapping")),
        (GOOD + "constraints:\n  max_macs: 8031\n", (":3:", "none of 500 random ones", "must not exceed 8031", "8032")),
        # what a search is laid out by
        (
            "parameters:\n  scale: {type: float, low: 2, high: 4}\n",
            (":2:", "scale.type", "categorical or int", "float"),
        ),
        (GOOD + "  scale: {type: categorical, choices: [2], when: {learning_rate: 1.0e-3}}\n", (":3:", "scale.when")),
        ("parameters:\n  seed: {type: int, low: 1, high: 9}\n", (":2:", "seed", "--seed")),
        (GOOD + "constants:\n  pixels: 8.0e+6\n", (":4:", "pixels", "--budget")),
        # what is YAML but nothing plain
        (GOOD + "constants:\n  optimizer: !adam x\n", (":4:", "YAML", "!adam")),
        (GOOD + "constants:\n  optimizer: 2001-99-99\n", (":4:", "month")),
        ("parameters:\n  n1: {type: categorical, choices: [[8], 16]}\n", (":2:", "n1.choices.0", "number", "[8]")),
        ("a: \x01\n", ("YAML",)),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_space(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    for word in words:
        assert word in message


DEEP = """\
parameters:
  depth: {type: int, low: 2, high: 4}
  n1: {type: categorical, choices: [8, 16]}
  n2: {type: categorical, choices: [8], when: {depth: [3, 4]}}
  n3: {type: categorical, choices: [4], when: {depth: 4}}
  f1: {type: categorical, choices: [9]}
  f2: {type: categorical, choices: [1, 3], when: {depth: [3, 4]}}
  f3: {type: categorical, choices: [3], when: {depth: 4}}
  f_last: {type: categorical, choices: [5, 7]}
  optimizer: {type: categorical, choices: [muon, sgd]}
  momentum: {type: float, low: 0.8, high: 0.9, points: 3, when: {optimizer: sgd}}
constants:
  scale: 2
"""


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


def test_a_parameter_exists_only_where_its_condition_holds(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, DEEP))
    assert space.conditional
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    source = random.Random(1)
    for values in [space.suggest(study.ask()) for _ in range(40)] + [space.draw(source) for _ in range(40)]:
        depth = values["depth"]
        assert isinstance(depth, int)
        assert ("n2" in values) == ("f2" in values) == (depth >= 3)
        assert ("n3" in values) == ("f3" in values) == (depth >= 4)
        assert ("momentum" in values) == (values["optimizer"] == "sgd")
        assert space.check(values) == ""


def test_a_condition_on_what_does_not_exist_itself_fails(tmp_path: Path) -> None:
    text = (
        "parameters:\n  optimizer: {type: categorical, choices: [muon, adam]}\n"
        "  clip: {type: categorical, choices: [null, 1.0], when: {optimizer: adam}}\n"
        "  schedule: {type: categorical, choices: [step], when: {clip: null}}\n"
    )
    rows = load_space(write(tmp_path, text)).grid()
    assert rows == [
        {"optimizer": "muon"},
        {"optimizer": "adam", "clip": None, "schedule": "step"},
        {"optimizer": "adam", "clip": 1.0},
    ]


def test_a_grid_has_every_combination_once(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, DEEP))
    rows = space.grid()
    # f_last 2, n1 2, recipes 1 + 3; f2 has 2 values where there are at least 3 layers
    assert len(rows) == 2 * 2 * 4 * (1 + 2 + 2)
    assert len({tuple(sorted((k, repr(v)) for k, v in row.items())) for row in rows}) == len(rows)
    assert all(space.check(row) == "" for row in rows)
    assert {row["momentum"] for row in rows if "momentum" in row} == {0.8, 0.8 + (0.9 - 0.8) * 0.5, 0.9}


def test_a_grid_of_real_and_whole_numbers(tmp_path: Path) -> None:
    text = "parameters:\n  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true, points: 3}\n"
    space = load_space(write(tmp_path, text + "  batch_size: {type: int, low: 4, high: 12, step: 4}\n"))
    rows = space.grid()
    assert [row["batch_size"] for row in rows] == [4, 8, 12] * 3
    assert [row["learning_rate"] for row in rows[::3]] == pytest.approx([1e-4, 1e-3, 1e-2])
    assert all(space.check(row) == "" for row in rows)


def test_a_grid_without_end_is_refused(tmp_path: Path) -> None:
    text = "parameters:\n  batch_size: {type: int, low: 1, high: 400}\n  n1: {type: int, low: 1, high: 400}\n"
    with pytest.raises(ConfigError, match=r"space\.yaml: a grid must have at most 100000 configurations"):
        load_space(write(tmp_path, text)).grid()


def test_draws_keep_to_the_ranges_and_to_what_is_fixed(tmp_path: Path) -> None:
    text = (
        "parameters:\n  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}\n"
        "  momentum: {type: float, low: 0.5, high: 0.9}\n  n1: {type: int, low: 8, high: 64, log: true}\n"
        "  n2: {type: int, low: 8, high: 32, step: 8}\n  scale: {type: categorical, choices: [2, 3]}\n"
    )
    space = load_space(write(tmp_path, text))
    source = random.Random(1)
    rows = [space.draw(source, {"scale": 3}) for _ in range(300)]
    assert all(space.check(row) == "" for row in rows)
    assert {row["scale"] for row in rows} == {3}
    assert {row["n2"] for row in rows} == {8, 16, 24, 32}
    low = sum(1 for row in rows if float(row["learning_rate"] or 0) < 1e-3)
    assert 110 < low < 190  # even in the logarithm: half of them lie in the lower decade
    assert space.draw(random.Random(5)) == space.draw(random.Random(5))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"n9": 8}, ("n9", "does not exist")),
        ({"n1": 12}, ("n1: must be one of 8, 16", "12")),
        ({"n1": True}, ("n1", "True")),
        ({"n1": "8"}, ("n1", "'8'")),
        ({"depth": 3.0}, ("depth: must be from 2 to 4", "3.0")),
        ({"depth": 5}, ("depth: must be from 2 to 4", "5")),
        ({"momentum": 0.85}, ("momentum: exists only when optimizer is sgd",)),
        ({"depth": 2, "n2": 8}, ("n2: exists only when depth is 3 or 4",)),
    ],
)
def test_values_that_the_space_has_not_are_refused(
    tmp_path: Path, values: dict[str, Value], words: tuple[str, ...]
) -> None:
    message = load_space(write(tmp_path, DEEP)).check(values)
    for word in words:
        assert word in message


def test_a_constraint_counts_the_network_that_is_made(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, DEEP + "constraints:\n  max_parameters: 2000\n  max_macs: 1900\n"))
    small: dict[str, Value] = {"depth": 2, "n1": 16, "f1": 9, "f_last": 5, "optimizer": "muon"}
    assert space.check(small) == ""  # 81 * 16 + 25 * 16 = 1696
    assert space.check({**small, "f_last": 7}) == "max_parameters: must not exceed 2000, but 9-7 (16) has 2097"
    config = space.to_config({**small, "f_last": 7})
    loose = load_space(write(tmp_path, DEEP + "constraints:\n  max_macs: 1900\n"))
    assert loose.constraints.broken_by(config) == "max_macs: must not exceed 1900, but 9-7 (16) has 2080"
    shuffled = config.replace(upsampling="pixel_shuffle")
    assert loose.constraints.broken_by(shuffled) == ""  # a quarter of the positions, four times the last layer


def test_a_space_says_when_it_cannot_describe_a_network(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, DEEP))
    network = ("kernels", "filters", "scale")
    assert space.values_of(TrainConfig(scale=2), network) is None  # 64 filters
    fits = TrainConfig(scale=2, filters=(8, 8))
    assert space.values_of(fits, network) == {"depth": 3, "n1": 8, "n2": 8, "f1": 9, "f2": 1, "f_last": 5}
    assert space.values_of(fits.replace(scale=3), network) is None  # a constant of the space
    assert space.values_of(fits.replace(kernels=(9, 1, 1, 1, 5), filters=(8, 8, 8, 8)), network) is None  # too deep
    assert space.values_of(fits.replace(optimizer="sgd", momentum=0.85), ("optimizer", "momentum")) == {
        "optimizer": "sgd",
        "momentum": 0.85,
    }


def test_corners_reach_every_end_of_every_parameter(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, DEEP))
    corners = space.corners()
    for name, ends in (("depth", (2, 4)), ("n3", (4,)), ("f2", (1, 3)), ("f_last", (5, 7)), ("momentum", (0.8, 0.9))):
        assert {corner.get(name) for corner in corners} >= set(ends)
    assert all(space.check(corner) == "" for corner in corners)


def test_scales_may_be_restricted(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, GOOD + "  scale: {type: int, low: 2, high: 4}\n"))
    assert space.scales == (2, 3, 4)
    assert space.restrict_scales((4, 2)).scales == (2, 4)
    assert load_space(write(tmp_path, GOOD)).scales == (3,)
    fixed = load_space(write(tmp_path, GOOD + "constants:\n  scale: 2\n"))
    assert fixed.restrict_scales((3, 4)).scales == (3, 4)
    assert fixed.restrict_scales((3,)).to_config({"learning_rate": 1e-3, "scale": 3}).scale == 3


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load_space(tmp_path / "nowhere.yaml")
