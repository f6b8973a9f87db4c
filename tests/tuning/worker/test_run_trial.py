"""A trial goes on from its own state, and one that a kill left damaged starts over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from srcnn.config.training import TrainConfig
from srcnn.evaluation.degradation import degrade
from srcnn.training.fit import fit
from srcnn.training.patches import prepare
from srcnn.tuning.trials.report import EpochFigures
from srcnn.tuning.worker.run_trial import STATE_FILE, _figures, _last_state, _save, history


def test_the_state_holds_every_epoch_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    config = TrainConfig(kernels=(3, 3), filters=(4,), patch_size=12, batch_size=2, epochs=3, epoch_pixels=400)
    past: list[EpochFigures] = []
    assert history(tmp_path) == past
    losses = []
    for result in fit(config, prepare([("noise", image)], 3), validation=[degrade(image[:39, :39], 3, name="noise")]):
        past.append(_figures(result, 3, 1.0, 0.5))
        _save(tmp_path, config, result, past)
        losses.append(result.loss)
        state = _last_state(tmp_path)
        assert state is not None
        assert state.numbers["epoch"] == len(losses)
    assert history(tmp_path) == past
    assert [figures.loss for figures in past] == pytest.approx(losses)
    (tmp_path / STATE_FILE).write_bytes(b"half a file")
    assert _last_state(tmp_path) is None
