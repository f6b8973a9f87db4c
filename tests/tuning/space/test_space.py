"""Search spaces: every file of the project loads, and a mistake is named with its line."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space_file import load_space

from space_text import DEEP, GOOD, write


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


def test_the_most_copies_of_a_space(tmp_path: Path) -> None:
    def of(line: str) -> int:
        return load_space(write(tmp_path, GOOD + line)).reduced_copies

    assert of("") == 0
    assert of("  reduced_copies: {type: categorical, choices: [0, 2]}\n") == 2
    assert of("  reduced_copies: {type: int, low: 0, high: 4}\n") == 4
    assert of("constants:\n  reduced_copies: 3\n") == 3


def test_scales_may_be_restricted(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, GOOD + "  scale: {type: int, low: 2, high: 4}\n"))
    assert space.scales == (2, 3, 4)
    assert space.restrict_scales((4, 2)).scales == (2, 4)
    assert load_space(write(tmp_path, GOOD)).scales == (3,)
    fixed = load_space(write(tmp_path, GOOD + "constants:\n  scale: 2\n"))
    assert fixed.restrict_scales((3, 4)).scales == (3, 4)
    assert fixed.restrict_scales((3,)).to_config({"learning_rate": 1e-3, "scale": 3}).scale == 3


def test_the_limit_of_weights_may_be_another(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, DEEP + "constraints:\n  max_parameters: 2000\n  max_macs: 1900\n"))
    wider = space.restrict(max_parameters=3000)
    assert (wider.constraints.max_parameters, wider.constraints.max_macs) == (3000, 1900)
    assert space.constraints.max_parameters == 2000
    with pytest.raises(
        ConfigError, match=r"max_parameters: must allow some configuration of .*none of 500 random ones"
    ):
        space.restrict(max_parameters=10)


def test_a_configuration_has_the_digest_of_its_start(tmp_path: Path) -> None:
    text = "parameters:\n  start: {type: categorical, choices: [random, 'champion:2', 'champion:3']}\n"
    space = replace(load_space(write(tmp_path, text)), starts={"champion:2": "a" * 64})
    assert space.to_config({"start": "champion:2"}).start_digest == "a" * 64
    assert space.to_config({"start": "champion:3"}).start_digest == ""  # not read yet
    assert space.to_config({"start": "random"}).start_digest == ""
    with pytest.raises(ConfigError, match="start_digest: must not be in a space, because it follows from start"):
        load_space(write(tmp_path, text + f"constants:\n  start_digest: {'a' * 64}\n"))
    with pytest.raises(ConfigError, match=r":2: start: must be random, champion:2"):
        load_space(write(tmp_path, text.replace("champion:3", "champion:5")))


def test_a_grid_without_end_is_refused_before_it_is_made(tmp_path: Path) -> None:
    path = write(tmp_path, "parameters:\n  batch_size: {type: int, low: 1, high: 1000000}\n")
    with pytest.raises(ConfigError, match="batch_size: a grid must have at most 100000 values of it"):
        load_space(path).grid()
    many = "".join(f"  n{i}: {{type: int, low: 1, high: 2}}\n" for i in range(1, 202))
    with pytest.raises(ConfigError, match=r":1: parameters: must be at most 200, but are 201"):
        load_space(write(tmp_path, f"parameters:\n{many}"))
