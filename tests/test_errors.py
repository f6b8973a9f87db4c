"""The exception tree, and the sentence for a name that does not exist."""

from __future__ import annotations

import pytest

from srcnn import errors
from srcnn.errors import ConfigError, SRCNNError, TrainingError, unknown_name


def test_every_error_is_in_the_one_tree() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    assert len(kinds) == 13
    assert all(issubclass(kind, SRCNNError) for kind in kinds)


def test_a_configuration_error_is_a_value_error_too() -> None:
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize("name", ["DivergenceError", "DeadNetworkError"])
def test_a_run_that_ends_by_itself_is_a_training_error(name: str) -> None:
    assert issubclass(getattr(errors, name), TrainingError)


def test_an_unknown_name_lists_the_nearest_first() -> None:
    text = unknown_name("field", "kernel", ["scale", "kernels", "filters"])
    assert text == "field 'kernel' does not exist; did you mean 'kernels'? there are: kernels, scale, filters"


def test_an_unknown_name_without_a_neighbour_makes_no_guess() -> None:
    assert unknown_name("field", "xyz", ["scale", "filters"]) == "field 'xyz' does not exist; there are: scale, filters"
