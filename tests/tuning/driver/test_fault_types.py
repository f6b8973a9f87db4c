"""An error says by its type what the next attempt needs."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest
import torch
from ray import exceptions
from ray.tune.error import TuneError

from srcnn.errors import CheckpointError, DeviceError, DivergenceError, NoSpaceError
from srcnn.tuning.driver.faults import DiskFull, Fault, error_line, fault_of, is_disk_full


def from_worker(cause: Exception) -> exceptions.RayTaskError:
    """As Ray hands over what a worker raised: through a pickle, which keeps no chain of causes."""
    text = f"Traceback (most recent call last):\n{type(cause).__name__}: {cause}"
    return exceptions.RayTaskError("train", text, pickle.loads(pickle.dumps(cause)), "ray::train", 1, "127.0.0.1")


def accelerator(code: int) -> Exception:
    error = torch.AcceleratorError("CUDA error: whatever it says")
    error.error_code = code  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (from_worker(OSError(errno.ENOSPC, "whatever it says")), Fault.DISK_FULL),
        (from_worker(OSError(errno.EDQUOT, "whatever it says")), Fault.DISK_FULL),
        (from_worker(NoSpaceError("state: cannot be written")), Fault.DISK_FULL),
        (exceptions.OutOfDiskError(), Fault.DISK_FULL),
        (from_worker(torch.OutOfMemoryError("whatever it says")), Fault.MEMORY),
        (from_worker(MemoryError()), Fault.MEMORY),
        (from_worker(accelerator(2)), Fault.MEMORY),  # cudaErrorMemoryAllocation
        (from_worker(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")), Fault.MEMORY),
        (exceptions.OutOfMemoryError("whatever it says"), Fault.MEMORY),
        (exceptions.ActorDiedError(), Fault.LOST),
        (exceptions.ActorUnavailableError("whatever it says", None), Fault.LOST),
        (exceptions.WorkerCrashedError(), Fault.LOST),
        (exceptions.NodeDiedError("whatever it says"), Fault.LOST),
        (from_worker(exceptions.ActorDiedError()), Fault.LOST),
        (from_worker(accelerator(719)), Fault.LOST),  # cudaErrorLaunchFailure
        (
            from_worker(RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`")),
            Fault.LOST,
        ),
        (from_worker(DeviceError("whatever it says")), Fault.LOST),
        (from_worker(KeyError("n1")), Fault.OWN),
        (from_worker(ValueError("No space left on device, The actor died, CUDA out of memory")), Fault.OWN),
        (from_worker(OSError(errno.EACCES, "No space left on device")), Fault.OWN),
        (from_worker(CheckpointError("state: cannot be written")), Fault.OWN),
        (from_worker(DivergenceError("the loss is nan")), Fault.OWN),
        (None, Fault.OWN),
    ],
    ids=str,
)
def test_an_error_says_what_the_next_attempt_needs(error: BaseException | None, fault: Fault) -> None:
    assert fault_of(error) is fault


def test_a_full_disk_is_found_below_what_tune_makes_of_it() -> None:
    with pytest.raises(TuneError) as caught:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise TuneError("a callback failed")  # noqa: B904 (as Tune does)
    assert is_disk_full(caught.value)
    assert not is_disk_full(TuneError("No space left on device"))


def test_the_error_of_a_full_disk_survives_a_pickle() -> None:
    error = pickle.loads(pickle.dumps(DiskFull(Path("/srv/search"))))
    assert isinstance(error, DiskFull)
    assert str(error) == "storage: no space left for /srv/search"


def test_what_ended_a_trial_is_one_line() -> None:
    assert error_line(exceptions.ActorDiedError()) == "its process died"
    assert error_line(exceptions.RayActorError(preempted=True)) == "its machine was taken away"
    assert error_line(from_worker(KeyError("n1"))) == "KeyError: 'n1'"
    assert error_line(None, "Traceback\nKeyError: 'n2'\n") == "KeyError: 'n2'"
    assert error_line(None) == "an unknown error"
