"""Recording as CUDA demands it, with `fake_cuda` in the place of a GPU.

Streams, devices and memory are checked in ``tests/test_gpu_arguments.py``, where every call of torch.cuda has to run.
"""

from __future__ import annotations

import warnings

import pytest
import torch

from srcnn.system.cuda_recorder import CudaRecorder

import fake_cuda

pytestmark = pytest.mark.gpu_arguments
FIRST = torch.device("cuda", 0)


def test_work_that_raises_leaves_the_main_stream_waiting_for_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = fake_cuda.install(monkeypatch)
    recorder = CudaRecorder(FIRST)

    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        recorder.run(fails)
    ((device, side),) = driver.made
    assert (device, driver.now) == (0, (0, 0))
    assert driver.log[-1] == ("wait", (0, 0), (0, side))
    with pytest.raises(ZeroDivisionError):
        recorder.record(fails)
    assert driver.now == (0, 0)
    assert driver.capturing is None


def test_a_closed_recorder_takes_a_new_stream_and_one_warning_is_silenced(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = fake_cuda.install(monkeypatch)
    recorder = CudaRecorder(FIRST)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        recorder.run(lambda: warnings.warn("This instance was constructed with capturable=True but ...", stacklevel=1))
        recorder.run(lambda: warnings.warn("another", stacklevel=1))
    assert [str(w.message) for w in told] == ["another"]
    assert len(driver.made) == 1
    recorder.close()
    assert ("empty_cache",) in driver.log
    recorder.run(lambda: None)
    assert len(driver.made) == 2
