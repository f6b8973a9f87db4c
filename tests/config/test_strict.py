"""Frozen data whose refusals are one line, seen on the largest configuration that there is."""

from __future__ import annotations

import json
from typing import Any, Self

import pytest
from pydantic import Field, model_validator

from srcnn.config.strict import Strict
from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError


@pytest.mark.parametrize(
    ("wrong", "right"), [("kernel", "kernels"), ("lr", "learning_rate"), ("optimiser", "optimizer")]
)
def test_an_unknown_field_lists_the_nearest_first(wrong: str, right: str) -> None:
    with pytest.raises(ConfigError, match=f"field '{wrong}' does not exist") as caught:
        TrainConfig(**{wrong: 1})
    assert right in str(caught.value)
    if wrong != "lr":
        assert f"did you mean {right!r}?" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "JSON"),
        ('{"scale": 7}', "scale: .* 7"),
        ('{"scales": 3}', "field 'scales' does not exist; did you mean 'scale'"),
        ("[]", "object|dict"),
    ],
)
def test_json_that_is_wrong_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig.from_json(text)


def test_frozen() -> None:
    config = TrainConfig()
    with pytest.raises(ValueError, match="frozen"):
        config.scale = 2  # type: ignore[misc]
    assert config.scale == 3


def test_replace_changes_a_copy_and_checks_it() -> None:
    config = TrainConfig(scale=2, epochs=3)
    changed = config.replace(scale=4)
    assert (config.scale, changed.scale, changed.epochs) == (2, 4, 3)
    with pytest.raises(ConfigError, match="scale"):
        config.replace(scale=5)


class Part(Strict):
    """A configuration within another."""

    size: int = Field(1, ge=1)
    share: float = 0.5


class Whole(Strict):
    part: Part = Part()
    name: str = "x"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name == str(self.part.size):
            raise ValueError(f"name: must differ from part.size, but got {self.name}")
        return self


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"part": {"size": 0}}, "part: size: input should be greater than or equal to 1, but got 0"),
        ({"part": {"share": 1e999}}, "part: share: input should be a finite number, but got inf"),
        ({"part": {"size": 0}, "name": 3}, "part: size: input should be greater than or equal to 1, but got 0"),
        ({"name": 3, "nam": 3}, "name: input should be a valid string, but got 3"),
        ({"name": "1"}, "name: must differ from part.size, but got 1"),  # a rule over several fields names its own
        ({"part": {"size": 1}, "parts": 0}, "field 'parts' does not exist; did you mean 'part'? there are: part, name"),
    ],
    ids=str,
)
def test_the_first_broken_rule_is_one_line_with_its_place(fields: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Whole(**fields)
    assert str(caught.value) == line
    with pytest.raises(ConfigError) as caught:
        Whole.from_json(json.dumps(fields).replace("Infinity", "1e999"))
    assert str(caught.value) == line
