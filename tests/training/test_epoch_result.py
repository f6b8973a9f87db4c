"""The result of an epoch: which one is the last."""

from __future__ import annotations

import numpy as np
import torch

from srcnn.config.training import TrainConfig
from srcnn.training.epoch_result import EpochResult
from srcnn.training.fit import fit
from srcnn.training.patches import prepare


def test_only_the_last_epoch_is_done() -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    config = TrainConfig(kernels="3-3", filters=(4,), patch_size=12, epochs=3, epoch_pixels=1000)
    results = list(fit(config, prepare([("noise", image)], 3), device=torch.device("cpu")))
    assert all(isinstance(result, EpochResult) for result in results)
    assert [result.done for result in results] == [False, False, True]
