"""Methods by name."""

from __future__ import annotations

import pytest

from srcnn.errors import ConfigError
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.replay.methods import METHODS, parse_method, top_k_of


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tpee", "did you mean 'tpe'"),
        ("tpee+asha", "sampler 'tpee'"),
        ("tpe+asher", "did you mean 'asha'"),
        ("random+top-5-of-3", "from 1 to N, but got 5 of 3"),
        ("random+top-0-of-3", "from 1 to N, but got 0 of 3"),
        ("random+top-3", "did you mean 'top-3-of-24'"),
    ],
)
def test_an_unknown_method_names_what_there_is(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_method(name)


def test_the_numbers_of_top_k() -> None:
    assert top_k_of(parse_method("tpe+top-2-of-10").scheduler) == (2, 10)
    assert top_k_of(METHODS["top-k"].scheduler) == (3, 24)
    assert top_k_of("asha") is None


def test_ours_is_what_a_search_uses_by_default() -> None:
    default = SearchSettings(name="x")
    assert (METHODS["ours"].sampler, METHODS["ours"].scheduler) == (default.sampler, default.stopping)
