"""The command of a search has the flags that its settings need, and no folder of the machine."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from srcnn.commands.search_flags import given_settings, search_parser
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.report.document.document import Text
from srcnn.tuning.report.sections.reproduce import command_of, reproduce
from srcnn.tuning.tracking import names

from report_parts import search_data

START = "python experiments/search.py"


def params(**fields: Any) -> dict[str, str]:
    """What a search with these settings writes to its run."""
    settings = SearchSettings(name="mine", **fields)
    given = {**dict(settings), names.PARAM_SCHEDULER: settings.stopping}
    return {name: names.param_text(value) for name, value in given.items()}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"trials": 12, "budget": 60e3, "scales": (2, 4), "confirm": False, "seed": 7},
        {"sampler": "grid", "scheduler": "median", "budget": 2.5e6, "confirm_budget": 2e9},
        {"objectives": ("gain", "macs"), "test": ("Set5", "Set14"), "train": "T91+my set", "allow_overlap": True},
        {"sampler": "random", "scheduler": "asha", "time_budget": 5400.0, "gpus_per_trial": 0.5, "validation": 4},
        {"enqueue": ("paper",), "learn_from": ("a", "b"), "ladder": "9,5", "space": "search_spaces/deep.yaml"},
    ],
)
def test_the_command_gives_the_same_settings_again(fields: dict[str, Any]) -> None:
    command = command_of(params(**fields))
    assert command.startswith(START)
    options = search_parser(None).parse_args([*shlex.split(command.removeprefix(START)), "--name", "mine"])
    again, resume = given_settings(options)
    assert not resume
    want = SearchSettings(name="mine", **fields)
    assert {**dict(again), "scheduler": again.stopping} == {**dict(want), "scheduler": want.stopping}


def test_places_of_the_machine_are_left_out() -> None:
    given = params(
        storage="/data/ray", data_root="/data/sets", space="/home/me/search_spaces/deep.yaml", train="/home/me/photos"
    )
    assert command_of(given) == f"{START} --space search_spaces/deep.yaml --train photos"
    assert command_of(params(space="/home/me/mine.yaml")) == f"{START} --space mine.yaml"


def test_parameters_of_an_earlier_version_are_no_error() -> None:
    assert command_of({"scheduler": "None", "objectives": "('gain', 'macs')", "trials": "9"}).startswith(
        f"{START} --trials 9"
    )


def test_what_a_result_depends_on_is_named() -> None:
    tags = {"mlflow.source.git.commit": "0123abc", "data.train": "T91", "data.digest": "d1", "version.torch": "2.13"}
    parts = reproduce(search_data([], tags=tags, params=params(seed=7), space_text="parameters: {}\n", ui=""))
    text = "\n".join(part.markdown for part in parts if isinstance(part, Text))
    assert f"```\ngit checkout 0123abc\n{START} --seed 7\n```" in text
    for said in ("**Versions:** torch 2.13", "**Seed of the search:** 7", "T91, digest `d1`", "SHA-256 begins with"):
        assert said in text
    assert "http" not in text
