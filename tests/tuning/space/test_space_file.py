"""Space files: the project's own, and mistakes with their file and line."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from srcnn.errors import ConfigError
from srcnn.tuning.space.space_file import load_space

from checkout import SPACES
from space_text import GOOD, write

FILES = sorted(SPACES.glob("*.yaml"))


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


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load_space(tmp_path / "nowhere.yaml")
