"""Methods by name."""

from __future__ import annotations

import pytest

from srcnn.errors import ConfigError
from srcnn.tuning.replay.methods import parse_method


@pytest.mark.parametrize(
    ("name", "message"),
    [("tpee", "did you mean 'tpe'"), ("tpee+asha", "sampler 'tpee'"), ("tpe+asher", "did you mean 'asha'")],
)
def test_an_unknown_method_names_what_there_is(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_method(name)
