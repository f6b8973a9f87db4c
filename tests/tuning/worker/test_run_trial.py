"""A trial goes on from its own state, and one that a kill left damaged starts over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from srcnn.config.training import TrainConfig
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.pattern_limit import NOT_MEASURABLE
from srcnn.model.weights_file import read_header, save_network
from srcnn.training.fit import fit
from srcnn.training.patches import prepare
from srcnn.tuning.trials.report import EpochFigures
from srcnn.tuning.worker.run_trial import (
    NETWORK_FILE,
    STATE_FILE,
    ScaleData,
    _figures,
    _last_state,
    _pattern_lead,
    _save,
    _start,
    history,
)

from small_network import small_network


def test_the_state_holds_every_epoch_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    config = TrainConfig(kernels=(3, 3), filters=(4,), patch_size=12, batch_size=2, epochs=3, epoch_pixels=400)
    past: list[EpochFigures] = []
    assert history(tmp_path) == past
    losses = []
    for result in fit(config, prepare([("noise", image)], 3), validation=[degrade(image[:39, :39], 3, name="noise")]):
        past.append(_figures(result, 3, 1.0, 0.5))
        _save(tmp_path, config, result, past, {"tests": ["Set5"]})
        losses.append(result.loss)
        state = _last_state(tmp_path)
        assert state is not None
        assert state.numbers["epoch"] == len(losses)
    assert history(tmp_path) == past
    assert read_header(tmp_path / NETWORK_FILE)["extra"] == {
        "val_psnr": past[-1].best_val_psnr,
        "epoch": past[-1].best_epoch,
        "tests": ["Set5"],
    }
    assert [figures.loss for figures in past] == pytest.approx(losses)
    (tmp_path / STATE_FILE).write_bytes(b"half a file")
    assert _last_state(tmp_path) is None


def test_a_trial_gets_a_copy_of_the_weights_that_it_names() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    weights = {"layers.0.weight": torch.ones(2)}
    data = ScaleData(prepare([("noise", image)], 3), (), starts={"champion:2": weights})
    assert _start(TrainConfig(), data) is None
    found = _start(TrainConfig(start="champion:2"), data)
    assert found is not None
    found["layers.0.weight"].zero_()  # those of the object store are read-only and shared
    assert weights["layers.0.weight"].sum() == 2


def test_the_network_that_a_trial_keeps_is_measured_on_the_drawn_patterns(tmp_path: Path) -> None:
    network = small_network(scale=3, residual=True)
    found = []
    for factor in (0.0, 1.0, 1e20):  # bicubic itself; noise; not finite
        weights = {name: value * factor for name, value in network.state_dict().items()}
        save_network(tmp_path / NETWORK_FILE, weights, TrainConfig(kernels=(5, 3, 3), filters=(8, 6), scale=3), {})
        found.append(_pattern_lead(tmp_path, torch.device("cpu")))
    assert found[0] == pytest.approx(0.0, abs=1e-6)
    assert found[1] < -1
    assert found[2] == NOT_MEASURABLE
