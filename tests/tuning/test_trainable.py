"""A trial goes on from the newest checkpoint that a kill left whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from ray.tune import Checkpoint

from srcnn.checkpoint import save_state
from srcnn.config import TrainConfig
from srcnn.patches import prepare
from srcnn.train import fit
from srcnn.tuning.trainable import _last_state


def checkpoints(folder: Path, count: int) -> list[Path]:
    image = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    config = TrainConfig(kernels=(3, 3), filters=(4,), patch_size=12, batch_size=2, epochs=count, epoch_pixels=400)
    paths = []
    for result in fit(config, prepare([("noise", image)], 3)):
        paths.append(folder / f"checkpoint_{result.epoch:06}")
        save_state(paths[-1] / "state.safetensors", result.state())
    return paths


def epoch(path: Path) -> int | None:
    state = _last_state(Checkpoint(str(path)))
    return None if state is None else int(state.numbers["epoch"])


def test_a_lost_or_damaged_checkpoint_gives_way_to_the_newest_whole_one(tmp_path: Path) -> None:
    first, second, third = checkpoints(tmp_path, 3)
    assert epoch(first) == 1
    shutil.rmtree(first)
    (third / "state.safetensors").write_bytes(b"half a file")
    assert epoch(first) == 2
    assert epoch(third) == 2
    shutil.rmtree(second)
    assert epoch(first) is None
