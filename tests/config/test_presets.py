"""The recipes by name are valid, copies, and those of their sources."""

from __future__ import annotations

import pytest

from srcnn.config.presets import PRESETS, preset
from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build(name: str) -> None:
    TrainConfig(**preset(name))


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match="preset 'papers' does not exist; did you mean 'paper'"):
        preset("papers")


def test_a_preset_is_a_copy() -> None:
    preset("paper")["scale"] = 99
    assert "scale" not in PRESETS["paper"]


def test_the_paper_preset_is_the_papers() -> None:
    """TPAMI 2016, sections 3.3 and 4.1: 33x33 inputs, 21x21 targets, rates 1e-4 and 1e-5, momentum 0.9, std 0.001."""
    config = TrainConfig(**preset("paper"))
    assert (config.kernels, config.filters) == ((9, 1, 5), (64, 32))
    assert (config.patch_size, config.output_size, config.stride) == (33, 21, 14)
    assert [config.learning_rate * rate for rate in config.rates] == pytest.approx([1e-4, 1e-4, 1e-5])
    assert (config.optimizer, config.momentum, config.init_std, config.batch_size) == ("sgd", 0.9, 0.001, 128)
