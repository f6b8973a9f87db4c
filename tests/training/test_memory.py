"""The memory of a training step, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.training import memory
from srcnn.training.memory import check_epoch, check_images, check_step, epoch_bytes, images_bytes, step_bytes

CPU = torch.device("cpu")


def configured(**fields: Any) -> TrainConfig:
    return TrainConfig(**{"epochs": 1, "precision": "fp32", **fields})


def test_the_planes_of_a_step_by_hand() -> None:
    """9-1-5 with 64-32 on 120 x 120: 1 + 64 + 32 + 1 planes of 9 bytes a position, 24 bytes a pixel beside them."""
    one, two = (step_bytes(configured(batch_size=n, patch_size=120), CPU) for n in (1, 2))
    assert two - one == pytest.approx(120 * 120 * (98 * 9 + 24))
    # 8129 weights and biases: 1 + weight, gradient, moment of muon, and the best ones.
    weights = 2 * one - two
    assert weights == pytest.approx(4 * 8129 * 4)


def test_a_measured_step() -> None:
    """1153 MB were measured for 32 sub-images of 120 pixels and 128-128 filters; the bound is below, and not far."""
    bound = step_bytes(configured(kernels="9-5-5", filters="128-128", batch_size=32, patch_size=120), CPU)
    assert 0.8 < bound / 1153e6 < 1


@pytest.mark.parametrize(
    "more", [{"ema": 0.1}, {"expansion": 4}, {"optimizer": "adam"}, {"late_patch_size": 240}, {"batch_size": 9}]
)
def test_what_makes_a_step_larger(more: dict[str, Any]) -> None:
    assert step_bytes(configured(**more), CPU) > step_bytes(configured(), CPU)


def test_a_late_step_is_counted_with_its_smaller_batch() -> None:
    late = configured(batch_size=4, patch_size=60, late_patch_size=240)
    assert late.late is not None
    assert step_bytes(late, CPU) == pytest.approx(step_bytes(late.late, CPU))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"batch_size": 1_000_000}, "batch_size"),
        ({"patch_size": 9_999}, "patch_size"),
        ({"patch_size": 9_999, "batch_size": 1}, "patch_size"),
        ({"late_patch_size": 9_999}, "late_patch_size"),
        ({"patch_size": 3_000, "upsampling": "pixel_shuffle", "batch_size": 1000}, "batch_size"),
    ],
)
def test_a_step_that_cannot_be_held_names_what_would_fit(
    fields: dict[str, Any], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "device_memory", lambda device: 8 * 2**30)
    with pytest.raises(ConfigError) as refused:
        check_step(configured(**fields), CPU)
    text = str(refused.value)
    found = re.fullmatch(
        rf"{field}: a step of this network would take \S+ GiB, this machine has 8.0 GiB, so that it may be at most (\d+)"
        rf"( with a batch_size of 1)?, but got {fields[field]}",
        text,
    )
    assert found, text
    smaller = {**fields, field: int(found[1]), **({"batch_size": 1} if found[2] else {})}
    check_step(configured(**smaller), CPU)


def test_a_network_that_cannot_be_held_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "device_memory", lambda device: 2**20)
    with pytest.raises(
        ConfigError, match=r"filters: a step of 9-1-5 \(1024-32\) would take \S+ MiB and this machine has 1 MiB"
    ):
        check_step(configured(filters="1024-32"), CPU)


def test_a_device_without_memory_of_its_own_is_not_asked() -> None:
    check_step(configured(batch_size=1_000_000), torch.device("meta"))


def test_an_epoch_and_images_that_cannot_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine_memory", lambda: 2**30)
    assert epoch_bytes(1000, 100) == 1000 * 120 + 100 * 32
    check_epoch(configured(batch_size=10), 1000)
    with pytest.raises(
        ConfigError, match=r"epoch_pixels: the places of the 1e\+10 sub-images of an epoch would take 1\S+ GiB"
    ):
        check_epoch(configured(batch_size=10), 10**9)
    assert images_bytes(10, 3) == 750
    check_images(10**7, 1, 1)
    with pytest.raises(ConfigError, match=r"train: to prepare 7 images of 100 megapixels together would take 7.0 GiB"):
        check_images(10**8, 3, 7)
