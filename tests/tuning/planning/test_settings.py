"""Settings that contradict each other, and times as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from srcnn.errors import ConfigError
from srcnn.tuning.planning.settings import SearchSettings, parse_duration


def settings(name: str, **fields: object) -> SearchSettings:
    given: dict[str, Any] = {"name": name, "space": "space.yaml", "train": "train", "test": ("test",)}
    given |= {"validation": 2, "budget": 150e3, "confirm": False, "gpus_per_trial": 0}
    return SearchSettings(**{**given, **fields})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sampler": "tpa"}, ("sampler", "tpa", "tpe")),
        ({"scheduler": "ahsa"}, ("scheduler", "ahsa", "asha")),
        ({"objectives": ("gain", "mcas")}, ("objective", "mcas", "macs")),
        ({"objectives": ("macs",)}, ("objectives", "gain", "macs")),
        ({"objectives": ("gain", "macs"), "scheduler": "asha"}, ("scheduler", "none", "asha")),
        ({"objectives": ("gain", "macs"), "sampler": "cmaes"}, ("sampler", "cmaes")),
        ({"confirm_seeds": 1}, ("confirm_seeds", "2")),
    ],
)
def test_settings_that_contradict_each_other_are_refused(fields: dict[str, object], words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        settings("x", **fields)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("30m", 1800), ("1h30m", 5400), ("90s", 90), ("45", 45), ("1.5h", 5400)]
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "2 hours", "0m", "-1h"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="time_budget"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("given", "objectives", "stopping"),
    [
        ("auto", ("gain",), "asha"),
        ("auto", ("gain", "macs"), "none"),
        ("none", ("gain",), "none"),
        ("asha", ("gain",), "asha"),
    ],
)
def test_a_search_that_asks_for_no_scheduler_has_none(given: str, objectives: tuple[str, ...], stopping: str) -> None:
    assert settings("x", scheduler=given, objectives=objectives).stopping == stopping
