"""Numbers as people write them, and the lines that refuse what is no number."""

from __future__ import annotations

import pytest

from srcnn.config.architecture import ModelConfig
from srcnn.config.quantities import counted, format_sizes, parse_pixels
from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError


@pytest.mark.parametrize("text", ["9-1-5", "9,1,5", " 9 - 1 - 5 "])
def test_sizes_may_be_a_string(text: str) -> None:
    assert ModelConfig(kernels=text).kernels == (9, 1, 5)


def test_sizes_and_numbers_may_be_lists_or_strings() -> None:
    config = TrainConfig(kernels=[9, 3, 5], filters="64-32", layer_rates="1,0.1", step_at=[0.3])
    assert (config.kernels, config.filters, config.layer_rates, config.step_at) == (
        (9, 3, 5),
        (64, 32),
        (1, 0.1),
        (0.3,),
    )


def test_no_numbers_may_be_the_empty_string() -> None:
    assert TrainConfig(layer_rates="").layer_rates == ()


def test_sizes_are_named_as_in_the_papers() -> None:
    assert format_sizes((9, 1, 5)) == "9-1-5"
    assert ModelConfig().name == "9-1-5 (64-32)"


@pytest.mark.parametrize(
    ("text", "pixels"), [("8M", 8e6), ("500k", 5e5), ("1.5m", 1.5e6), ("2e6", 2e6), ("60e+6", 6e7), ("1G", 1e9)]
)
def test_budgets_in_pixels_are_read(text: str, pixels: float) -> None:
    assert parse_pixels(text, "budget") == pixels
    assert TrainConfig(pixels=text).pixels == pixels


@pytest.mark.parametrize("text", ["", "x", "-1M", "0", "3 T"])
def test_a_budget_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=rf"^budget: must be a number of training pixels such as .* got '{text}'$"):
        parse_pixels(text, "budget")
    with pytest.raises(ConfigError, match=rf"^pixels: must be a number of training pixels such as .* got '{text}'$"):
        TrainConfig(pixels=text)


def test_counts_agree_with_their_nouns() -> None:
    assert [counted(n, "seed") for n in (0, 1, 2)] == ["0 seeds", "1 seed", "2 seeds"]
    assert [counted(n, "match", "matches") for n in (1, 2)] == ["1 match", "2 matches"]


@pytest.mark.parametrize("text", ["9-1-²", "٩-1-5", "9-1-५"])
def test_only_ascii_digits_are_digits(text: str) -> None:
    """``str.isdigit`` is true of all of them; int() reads two and raises on the first."""
    with pytest.raises(ConfigError, match="kernels: must be whole numbers joined by '-'"):
        TrainConfig(kernels=text)
    with pytest.raises(ConfigError, match="budget: must be a number of training pixels"):
        parse_pixels(text.replace("-", ""), "budget")
