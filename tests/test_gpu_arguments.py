"""What the code says to CUDA, checked without a GPU: torch's own Python runs, C functions are replaced (`fake_cuda`).

    python -m pytest -m gpu_arguments

Every test of a call is one of `EXERCISES`; the last test runs all of them, and counts the places in the code that call
torch.cuda and those that ran.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo  # optimisers import it when they are made, and it must not meet invented GPUs

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.system import gpu
from srcnn.system.cuda_recorder import CudaRecorder
from srcnn.system.device import bf16_is_fast, indexed, pick_device
from srcnn.training.patches import prepare
from srcnn.training.recorded_step import RecordedStep
from srcnn.training.run import Run
from srcnn.tuning.planning import gpu_sharing as packing
from srcnn.tuning.planning.gpu_sharing import context_size, peak_memory
from srcnn.tuning.worker import trial_device as trainable
from srcnn.tuning.worker.trial_device import CONTEXT, Place, memory_cap

import fake_cuda
from checkout import ROOT
from fake_cuda import GIB, Driver, Watch, calls_of, source_files

pytestmark = pytest.mark.gpu_arguments

SECOND = torch.device("cuda", 1)
Patch = pytest.MonkeyPatch


def start() -> None:
    """What the first tensor on a GPU does to a process."""
    torch.cuda.init()  # type: ignore[no-untyped-call]


class Context:
    """Of a trial that Ray gave a share of a GPU."""

    def __init__(self, share: float) -> None:
        self._share = share

    def get_assigned_resources(self) -> dict[str, float]:
        return {"CPU": 1.0, "GPU": self._share}


def a_trial_is_capped_at_its_share(driver: Driver, patch: Patch) -> None:
    for share, cap in ((1.0, 1.0), (0.5, 0.5 - CONTEXT / (80 * GIB)), (0.25, 0.25 - CONTEXT / (80 * GIB)), (2.0, 1.0)):
        patch.setattr(trainable, "get_runtime_context", lambda share=share: Context(share))
        device = trainable.trial_device(Place("folder", 1, share))
        assert device == torch.device("cuda", 0)
        assert driver.fractions == {0: cap}
        assert memory_cap(share, 80 * GIB) == cap


def a_trial_without_a_share_uses_no_gpu(driver: Driver, patch: Patch) -> None:
    assert trainable.trial_device(Place("folder", 1, 0)) == torch.device("cpu")
    assert not driver.fractions and not driver.log


def a_cap_holds_for_the_device_that_is_named(driver: Driver, patch: Patch) -> None:
    gpu.cap_memory(pick_device("cuda:1"), 0.5)
    assert driver.fractions == {1: 0.5}
    assert driver.current == 0


def a_device_has_an_index_and_asking_takes_no_gpu(driver: Driver, patch: Patch) -> None:
    assert pick_device() == pick_device("cuda") == indexed(torch.device("cuda")) == torch.device("cuda", 0)
    assert pick_device("cuda:1") == SECOND
    assert gpu.gpu_count() == 2
    assert driver.log == []  # not even CUDA's start
    for wrong in ("cuda:2", "cuda:9"):
        with pytest.raises(ConfigError, match=f"device: N in cuda:N must be below 2.*'{wrong}'"):
            pick_device(wrong)
    with gpu.on(SECOND):
        start()
        assert pick_device() == pick_device("cuda") == SECOND


def the_index_counts_visible_devices(driver: Driver, patch: Patch) -> None:
    for visible, count in (("1", 1), ("1,0", 2), ("", 0), ("-1", 0), ("0,1", 2)):
        patch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert gpu.gpu_count() == count
        assert pick_device() == (torch.device("cuda", 0) if count else torch.device("cpu"))
        if count == 1:
            with pytest.raises(ConfigError, match="must be below 1"):
                pick_device("cuda:1")
    patch.setenv("CUDA_VISIBLE_DEVICES", "1")
    patch.setattr(trainable, "get_runtime_context", lambda: Context(1.0))
    trainable.trial_device(Place("folder", 1, 1.0))
    assert driver.fractions == {0: 1.0}
    patch.delenv("CUDA_VISIBLE_DEVICES")


def a_look_at_bf16_asks_the_named_device(driver: Driver, patch: Patch) -> None:
    asked: list[int] = []

    def properties(index: int) -> Any:
        asked.append(index)
        return driver.properties(index)

    patch.setattr(torch.cuda, "_get_device_properties", properties)
    assert bf16_is_fast(SECOND)
    assert asked == [1]
    assert driver.current == 0
    driver.major = 7
    assert not bf16_is_fast(SECOND)


def memory_is_measured_on_the_named_device(driver: Driver, patch: Patch) -> None:
    gpu.reset_peak(SECOND)
    assert gpu.total_memory(SECOND) == 80 * GIB
    start()
    assert gpu.peak_reserved(SECOND) == 3 * GIB
    assert gpu.reserved(SECOND) == GIB
    assert gpu.memory_info(SECOND) == (70 * GIB, 80 * GIB)
    assert gpu.capability(SECOND) == (8, 0)
    assert ("reset_peak", 1) in driver.log


def waiting_waits_for_the_named_device(driver: Driver, patch: Patch) -> None:
    gpu.wait(SECOND)
    assert driver.log[-1] == ("synchronize", 1)
    gpu.wait(torch.device("cpu"))
    assert driver.log[-1] == ("synchronize", 1)
    machine = _experiment("_bench.machine")
    for device in ("cuda:1", "cpu"):
        assert machine.clock(device) > 0


def memory_is_given_back(driver: Driver, patch: Patch) -> None:
    start()
    gpu.release_memory(SECOND)
    assert driver.log[-2:] == [("clear_workspaces",), ("empty_cache",)]
    before = list(driver.log)
    gpu.release_memory(torch.device("cpu"))
    assert driver.log == before
    patch.delattr(torch._C, "_cuda_clearCublasWorkspaces")  # a torch without the call
    gpu.release_memory(SECOND)


def a_step_is_recorded_on_one_stream_of_its_own_device(driver: Driver, patch: Patch) -> None:
    """`--device cuda:1` while cuda:0 is current."""
    recorder, places = CudaRecorder(SECOND), []
    for _ in range(4):
        recorder.run(lambda: places.append(driver.now))
        assert driver.now == (0, 0) and driver.streams[1] == 0
    replay = recorder.record(lambda: places.append(driver.now))
    assert len(set(places)) == 1 and len(driver.made) == 1, "one stream for all"
    assert places[0] == driver.made[0] and places[0][0] == 1 and places[0][1] != 0
    assert ("capture", *places[0]) in driver.log
    assert driver.now == (0, 0) and driver.streams[1] == 0
    side, main = places[0], (1, 0)
    assert ("wait", side, main) in driver.log and ("wait", main, side) in driver.log
    capture = driver.log.index(("capture", *places[0]))
    # Workspaces are given back before, so that the recording makes its own, and after it.
    assert ("clear_workspaces",) in driver.log[:capture] and ("clear_workspaces",) in driver.log[capture:]
    assert ("empty_cache",) in driver.log[capture:]
    replay()
    assert driver.log[-1][0] == "replay"


def a_recording_that_fails_leaves_the_main_stream(driver: Driver, patch: Patch) -> None:
    recorder = CudaRecorder(SECOND)
    recorder.run(lambda: None)
    with pytest.raises(RuntimeError, match="previous error during capture") as caught:
        recorder.record(lambda: gpu.wait(SECOND))
    assert "not permitted when stream is capturing" in str(caught.value.__context__)
    assert driver.now == (0, 0) and driver.streams[1] == 0
    with gpu.on(SECOND):
        assert driver.now == (1, 0)
    assert driver.capturing is None


def a_step_that_waits_is_not_recorded_and_goes_on_where_it_was(driver: Driver, patch: Patch) -> None:
    """A whole `RecordedStep`, whose tensors lie on the CPU."""
    sizes: dict[str, Any] = {"kernels": (3, 3), "filters": (4,), "patch_size": 12, "batch_size": 2}
    config = TrainConfig(**sizes, epochs=1, epoch_pixels=1600, optimizer="adam", learning_rate=1e-4)
    image = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    for waits in (False, True):
        run = Run(config, prepare([("noise", image)], 3), (), torch.device("cpu"), None, True, CudaRecorder(SECOND))
        assert isinstance(run.recorded, RecordedStep)
        streams: list[tuple[int, int]] = []
        plain = run._step_at

        def step(batch: Any, rate: Any, waits: bool = waits, streams: Any = streams, plain: Any = plain) -> Any:
            streams.append((1, driver.streams.get(1, 0)))
            if waits and driver.capturing is not None:
                gpu.wait(SECOND)
            return plain(batch, rate)

        run.recorded._step = step
        # Replays of these graphs do nothing, as the recorded step finds out by itself.
        with pytest.warns(UserWarning, match="not permitted when stream is capturing" if waits else "differs") as told:
            run.train_epoch()
        assert len(told) == 1
        assert streams[-1] == (1, 0) and streams[0][1] != 0
        assert len(set(streams[:4])) == 1


def a_search_counts_gpus_without_using_one(driver: Driver, patch: Patch) -> None:
    speed, estimate = (importlib.import_module(f"srcnn.tuning.planning.{name}") for name in ("speed", "estimate"))
    asked: list[Any] = []

    def measured(plan: Any, device: torch.device, fresh: bool) -> str:
        asked.append(device)
        return "speed"

    patch.setattr(estimate, "measure_speed", measured)
    settings = importlib.import_module("srcnn.tuning.planning.settings").SearchSettings(name="x", gpus_per_trial="0.5")
    patch.setattr(os, "cpu_count", lambda: 16)
    plan = type("Plan", (), {"settings": settings})()
    assert estimate.speed_here(plan) == ("speed", 4)
    assert asked == [torch.device("cuda", 0)]
    alone: list[Any] = []

    def in_own_process(function: Any, *args: Any) -> Any:
        alone.append(function)
        return speed.Speed("GPU", True, 1, (), 0.0, 0.0)

    patch.setattr(speed, "in_own_process", in_own_process)
    space = type("Space", (), {"parameters": {}, "constants": {}, "constraints": ""})()
    with tempfile.TemporaryDirectory() as cache:
        patch.setenv("SRCNN_CACHE", cache)
        speed.measure_speed(type("Plan", (), {"settings": settings, "space": space})(), asked[0], fresh=True)
    assert len(alone) == 1, "a GPU is timed from another process"
    assert driver.log == []


def a_share_is_measured_from_what_the_allocator_reserves(driver: Driver, patch: Patch) -> None:
    asked: list[Any] = []

    def fit(config: Any, data: Any, validation: Any, device: Any) -> list[Any]:
        asked.append(device)
        start()
        return []

    patch.setattr(packing, "fit", fit)
    patch.setattr(packing, "used_memory", lambda: 8.0 * GIB)
    config = TrainConfig(kernels=(3, 3), filters=(4,), patch_size=12, batch_size=2, pixels=1000)
    image = np.zeros((24, 24), dtype=np.uint8)
    found = peak_memory(config, prepare([("flat", image)], 3), ())
    assert found == (3 * GIB, 80 * GIB, 10 * GIB - GIB - 8 * GIB)
    assert asked == [torch.device("cuda", 0)]
    assert context_size(None, 5 * GIB) == CONTEXT and context_size(5 * GIB, 5 * GIB) == CONTEXT
    assert packing.gpu_share(4 * GIB, 80 * GIB, 5 * GIB) == 1 / 8


def a_name_is_asked_of_the_drivers_program(driver: Driver, patch: Patch) -> None:
    asked: list[list[str]] = []

    def answer(command: list[str], **options: Any) -> Any:
        asked.append(command)
        return type("Done", (), {"stdout": "NVIDIA H100\n" if "--query-gpu=name" in command else "1024\n"})()

    patch.setattr(gpu.shutil, "which", lambda name: name)  # type: ignore[attr-defined]
    patch.setattr(gpu.subprocess, "run", answer)  # type: ignore[attr-defined]
    patch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert gpu.gpu_name() == "NVIDIA H100"
    assert gpu.used_memory() == GIB
    assert {command[1] for command in asked} == {"--id=1"}
    assert gpu.gpu_name(1) and asked[-1][1] == "--id=0"
    assert gpu.gpu_name(2) is None
    patch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu.gpu_name() is None
    patch.delenv("CUDA_VISIBLE_DEVICES")
    assert driver.log == []


def a_seed_reaches_every_device(driver: Driver, patch: Patch) -> None:
    plain = _experiment("_bench.plain")
    image = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    start()
    plain.PlainLoop((3, 3), (4,), prepare([("noise", np.tile(image, (3, 3)))], 3), "cpu")
    assert [g.initial_seed() for g in torch.cuda.default_generators] == [123, 123]


def _experiment(name: str) -> Any:
    folder = str(ROOT / "experiments")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


Exercise = Callable[[Driver, Patch], None]
EXERCISES: tuple[Exercise, ...] = (
    a_trial_is_capped_at_its_share,
    a_trial_without_a_share_uses_no_gpu,
    a_cap_holds_for_the_device_that_is_named,
    a_device_has_an_index_and_asking_takes_no_gpu,
    the_index_counts_visible_devices,
    a_look_at_bf16_asks_the_named_device,
    memory_is_measured_on_the_named_device,
    waiting_waits_for_the_named_device,
    memory_is_given_back,
    a_step_is_recorded_on_one_stream_of_its_own_device,
    a_recording_that_fails_leaves_the_main_stream,
    a_step_that_waits_is_not_recorded_and_goes_on_where_it_was,
    a_search_counts_gpus_without_using_one,
    a_share_is_measured_from_what_the_allocator_reserves,
    a_name_is_asked_of_the_drivers_program,
    a_seed_reaches_every_device,
)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.__name__)
def test_arguments(exercise: Exercise, monkeypatch: Patch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    exercise(fake_cuda.install(monkeypatch), monkeypatch)


def test_the_replacement_refuses_what_torch_and_cuda_refuse(monkeypatch: Patch) -> None:
    """Among it the cap that no trial on a GPU could set: a device without an index."""
    fake_cuda.install(monkeypatch)
    with pytest.raises(ValueError, match="specified index"):
        torch.cuda.set_per_process_memory_fraction(0.5, torch.device("cuda"))
    with pytest.raises(TypeError, match="must be `float`"):
        torch.cuda.set_per_process_memory_fraction(1, 0)
    with pytest.raises(AssertionError, match="Invalid device id"):
        torch.cuda.get_device_properties(2)
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.cuda.synchronize(2)
    with pytest.raises(RuntimeError, match="non-default stream"):
        torch.cuda.CUDAGraph().capture_begin()


def test_every_call_of_torch_cuda_is_run(record_property: Callable[[str, object], None]) -> None:
    places = calls_of(source_files(ROOT))
    with Watch(places) as watch:
        for exercise in EXERCISES:
            with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
                patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
                exercise(fake_cuda.install(patch), patch)
    missing = [f"{Path(place[0]).relative_to(ROOT)}:{place[1]} {what}" for place, what in places.items()]
    missing = [text for text, place in zip(missing, places, strict=True) if place not in watch.seen]
    record_property("torch_cuda_calls", [len(places), len(places) - len(missing)])
    assert not missing
    assert len(places) > 15
