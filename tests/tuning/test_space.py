"""Search spaces: every file of the project loads, and a mistake is named with its line."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from srcnn.errors import ConfigError
from srcnn.tuning.space_file import load_space

SPACES = sorted((Path(__file__).parents[2] / "search_spaces").rglob("*.yaml"))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SPACES, ids=lambda p: p.name)
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
