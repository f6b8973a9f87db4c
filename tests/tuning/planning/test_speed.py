"""Speeds are measured once, kept, and read between the sizes that were timed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from srcnn.config.training import TrainConfig
from srcnn.model.network import count_macs
from srcnn.system.own_process import in_own_process
from srcnn.tuning.planning.speed import Probe, _measure, measure_speed

from planned_search import SPEED, macs_of_a_step, plan

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(patch_size=30),
        TrainConfig(patch_size=30, padding="zeros", color="rgb"),
        TrainConfig(patch_size=60, upsampling="pixel_shuffle", kernels="5-3-3", scale=3),
    ],
)
def test_a_step_costs_what_its_layers_compute(config: TrainConfig) -> None:
    assert SPEED.step(config) == pytest.approx(2e-9 * macs_of_a_step(config))


def test_between_the_timed_ones_time_is_linear_and_beyond_proportional() -> None:
    config = TrainConfig()
    at = macs_of_a_step(config)
    points = (Probe("a", at / 2, 1.0, 1.0, 0.0), Probe("b", at * 1.5, 3.0, 1e9, 1.0))
    assert replace(SPEED, probes=points).step(config) == pytest.approx(2.0)
    assert replace(SPEED, probes=points[:1]).step(config) == pytest.approx(2.0)
    below = (Probe("a", at * 2, 1.0, 1.0, 0.0), Probe("b", at * 4, 3.0, 1e9, 1.0))
    assert replace(SPEED, probes=below).step(config) == pytest.approx(1.0)  # a step has costs of its own
    assert replace(SPEED, probes=points).look(config) == pytest.approx(count_macs(config) / 1e9, rel=1e-3)


def test_every_kind_of_size_is_timed_and_kept(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRCNN_CACHE", str(workplace / "cache"))
    for name, little in (("_SECONDS", 0.01), ("_STEPS", 1e6)):
        monkeypatch.setattr(f"srcnn.tuning.planning.speed.{name}", little)
    threads, ours = torch.get_num_threads(), plan()
    found = measure_speed(ours, CPU)
    assert torch.get_num_threads() == threads
    assert found.threads == 1
    assert not found.gpu
    assert len(found.probes) == 3
    sizes = [probe.step_macs for probe in found.probes]
    assert sizes == sorted(sizes)
    assert all(0 < probe.step_seconds < 1 and 0 < probe.look_seconds < 1e-3 for probe in found.probes)
    assert measure_speed(ours, CPU) == found  # read: no two measurements agree to the last digit
    assert measure_speed(ours, CPU, fresh=True) != found
    (file,) = (workplace / "cache").glob("speed-*.json")
    file.write_text('{"device": 3}', encoding="utf-8")
    assert len(measure_speed(ours, CPU).probes) == 3
    measure_speed(plan(scales=(2,)), CPU)  # another space
    assert len(list((workplace / "cache").glob("speed-*.json"))) == 2


def test_a_gpu_is_timed_from_a_process_of_its_own(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same call on the CPU: a plan goes to another process, and its speed comes back."""
    monkeypatch.setenv("SRCNN_CACHE", str(workplace / "cache"))
    monkeypatch.setattr("srcnn.tuning.planning.speed._SECONDS", 0.1)
    found = in_own_process(_measure, plan(), CPU, "a device", 1)
    assert found.device == "a device"
    assert len(found.probes) == 3


def test_nothing_is_lost_where_nothing_can_be_kept(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("SRCNN_CACHE", str(workplace / "file" / "below"))
    assert len(measure_speed(plan(), CPU).probes) == 3
