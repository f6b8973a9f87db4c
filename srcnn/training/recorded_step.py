"""One training step, recorded on a GPU and replayed (CUDA graphs).

A step of a small network consists of about two hundred kernels of a few microseconds each. Python needs more time to launch them
than the GPU to run them. So they are recorded once as a CUDA graph, and each further step is a single launch. The data that
changes between steps (positions of the sub-images, learning rate) is in tables on the device, and the step itself advances its
index in them. Within an epoch nothing is copied, and the CPU does not wait for the device.

A wrong recording trains a wrong network without an error. So a recording is verified before use: starting from the same state,
it must change the weights, moments, loss and index as a plain step does, on a different batch and with a different rate than
those of the recording. This detects a recording in which the batch or the rate is constant.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from srcnn.training.patches import Batch, Plan

__all__ = ["RecordedStep", "Recorder", "RecordingWarning"]

_WARM = 4  # steps before the recording: the first creates the optimiser's moments and chooses cuDNN's algorithms
# Tolerances: norm of the difference of two steps, relative to the norm of the change in a step. Measured on a CPU with the images
# of a batch in another order, so with another order of additions (9-1-5 in fp32, 9-1-5 and 9-5-5 in bf16, 3 optimisers):
# gradients and moments differ by 2e-4, weights by 0.01 (Muon's iteration amplifies small errors), the loss is equal. A wrong
# batch changes a gradient by 0.06 or more and the loss by 0.13; half the rate changes weights by 0.5.
_TOLERANCES = {"weight": 0.25, "loss": 0.01}
_TOLERANCE = 0.02  # for gradients and moments
_ROUNDING = 2e-7  # rounding error of float32, relative to the norm of a tensor


class RecordingWarning(UserWarning):
    """Steps are not recorded: a recording failed, or did not do what the step does."""


class Recorder(Protocol):
    """Records work so that it can be repeated at the cost of one call."""

    def run(self, body: Callable[[], None]) -> None:
        """Run the work under the conditions of a recording, without recording it."""

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        """Record the work without running it. Return a function that runs it.

        Raises:
            RuntimeError: the work cannot be recorded.
        """

    def close(self) -> None:
        """Release the resources used for recording."""


class RecordedStep:
    """Runs training steps from tables at fixed memory addresses.

    Without a recorder, or if the recording fails or is wrong, the step is called directly. The steps and their results are the
    same in every case. The additional steps for verification are undone.

    Args:
        step: trains on a batch with a learning rate, a tensor without dimensions, and returns the loss. It must not wait for
            the device, and must change its tensors in place.
        changes: returns the tensors that a step changes, by name: weights and gradients, whose names begin with ``weight``
            and ``gradient``, and moments. Called when all of them exist.
        longest: number of steps in the longest epoch.
        device: device of all tensors.
        recorder: the recorder; None: direct calls.
    """

    def __init__(
        self,
        step: Callable[[Batch, Tensor], Tensor],
        changes: Callable[[], Mapping[str, Tensor]],
        longest: int,
        device: torch.device,
        recorder: Recorder | None = None,
    ) -> None:
        self._step, self._changes, self._longest = step, changes, longest
        self._line = torch.zeros(1, dtype=torch.int64, device=device)
        self._rates = torch.zeros(longest, device=device)
        self._total = torch.zeros((), device=device)
        self._plan: Plan | None = None
        self._recorder = recorder
        self._replay: Callable[[], None] | None = None
        self._taken = 0
        self._next, self._count = 0, 0  # index of the next step in the tables, and number of steps in the epoch

    @property
    def replays(self) -> bool:
        """Whether steps are replays of a verified recording."""
        return self._replay is not None

    def load(self, plan: Plan, rates: Sequence[float]) -> Tensor:
        """Load the batches and learning rates of an epoch. Return the running sum of the losses, a tensor that steps add to."""
        if self._plan is None:
            self._plan = plan.room_for(self._longest)
        self._plan.fill(plan)
        self._rates[: len(rates)].copy_(torch.tensor(rates))
        self._line.zero_()
        self._total.zero_()
        self._next, self._count = 0, len(rates)
        return self._total

    def __call__(self) -> None:
        """Run the next step of the epoch."""
        if self._replay is not None:
            self._replay()
        elif self._recorder is None:
            self._body()
        elif self._taken < _WARM:
            self._recorder.run(self._body)
        else:
            self._step_and_prove(self._recorder)
        self._taken += 1
        self._next += 1

    def _body(self) -> None:
        assert self._plan is not None, "load() must be called first"
        rate = self._rates.index_select(0, self._line).squeeze(0)
        self._total += self._step(self._plan.batch(self._line), rate)
        self._line += 1

    def _step_and_prove(self, recorder: Recorder) -> None:
        """Run a plain step. Then record it; if the recording is correct, later steps use it."""
        before = self._kept()
        recorder.run(self._body)
        after = self._kept()
        if not bool(torch.isfinite(after["loss"])):
            return  # nothing can be compared, and the caller stops such a run
        wrong = self._prove(recorder, before)
        if wrong is None:
            self._put(after)
            return
        recorder.close()
        self._recorder = self._replay = None
        told = f"steps are not recorded, so small networks train more slowly: {wrong}"
        warnings.warn(told, RecordingWarning, stacklevel=4)
        # Repeat the step from the saved state, because a wrong recording may have written anywhere.
        self._put({name: value for name, value in before.items() if not name.startswith("gradient")})
        self._body()

    def _prove(self, recorder: Recorder, before: Mapping[str, Tensor]) -> str | None:
        """Record a step and compare it with a plain one. Return a description of the problem, or None."""
        rates, other = self._rates.clone(), (self._next + 1) % self._count

        def begin() -> None:
            self._put(before)
            self._line.fill_(other)

        try:
            self._rates[other] = 0.5 * rates[self._next]
            begin()
            recorder.run(self._body)
            plain = self._kept()
            self._rates.copy_(rates)
            self._put(before)
            replay = recorder.record(self._body)
            self._rates[other] = 0.5 * rates[self._next]
            begin()
            replay()
            wrong = _difference(before, plain, self._kept())
        except RuntimeError as error:
            return _first_line(error)
        finally:
            self._rates.copy_(rates)
        if wrong is None:
            self._replay = replay
            return None
        return f"a recorded step differs from a plain one in {wrong}"

    def _all(self) -> dict[str, Tensor]:
        return {**self._changes(), "loss": self._total, "line": self._line}

    def _kept(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self._all().items()}

    @torch.no_grad()
    def _put(self, kept: Mapping[str, Tensor]) -> None:
        now = self._all()
        for name, value in kept.items():
            now[name].copy_(value)


def _difference(
    before: Mapping[str, Tensor], plain: Mapping[str, Tensor], replayed: Mapping[str, Tensor]
) -> str | None:
    """Return the first difference between two steps from one state beyond rounding, with its size; None if there is none."""
    if not torch.equal(plain["line"], replayed["line"]):
        return f"its index: {int(replayed['line'])}, not {int(plain['line'])}"
    for name, there in plain.items():
        if name == "line":
            continue
        start, here = before[name].double(), replayed[name].double()
        there = there.double()
        change, error = float((there - start).norm()), float((here - there).norm())
        tolerance = _TOLERANCES.get(name.partition(" ")[0], _TOLERANCE)
        allowed = tolerance * change + _ROUNDING * float(start.norm())
        if not error <= allowed:  # NaN as well
            return f"{name}: by {error:.2g}, where the plain step changes it by {change:.2g}"
    return None


def _first_line(error: BaseException) -> str:
    """Return the first line of the original error: aborting a recording after an error raises another one."""
    while error.__context__ is not None:
        error = error.__context__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
