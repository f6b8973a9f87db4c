"""One training step, recorded on a GPU and replayed.

A step of a small network is some two hundred kernels of a few microseconds each. Python needs longer to launch them than
the GPU to run them, so they are recorded once as a CUDA graph, and each further step is a single launch. What changes
from step to step (the places of the sub-images, the learning rate) lies in tables on the device, and the step itself
counts its line in them: nothing is copied and nobody waits between the steps of an epoch.

A recording that is wrong trains a wrong network and raises no error. So it is proven before it is used: from one state it must
move the weights, the moments, the loss and the line as a plain step does, on another batch and at another rate than those
of the recording, which a recording that keeps either would miss.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from srcnn.training.patches import Batch, Plan

__all__ = ["RecordedStep", "Recorder", "RecordingWarning"]

_WARM = 4  # steps before the recording: optimisers make their moments and cuDNN chooses its algorithms in the first
# How far two steps may lie apart, in lengths of the step's own change. Measured on a CPU, where the same batch in another order
# adds up gradients in another order (9-1-5 in fp32, 9-1-5 and 9-5-5 in bf16, three optimisers): gradients and moments differ by
# 2e-4, weights by 0.01, since Muon's iteration multiplies small errors, the loss not at all. Another batch moves a gradient by
# 0.06 and more and the loss by 0.13, half the rate moves weights by 0.5.
_TOLERANCES = {"weight": 0.25, "loss": 0.01}
_TOLERANCE = 0.02  # of gradients and moments
_ROUNDING = 2e-7  # of a tensor's length: changes below that are float32's own


class RecordingWarning(UserWarning):
    """Steps are not recorded: a recording failed, or did not do what the step does."""


class Recorder(Protocol):
    """What turns a piece of work into something that can be run again at the price of one call."""

    def run(self, body: Callable[[], None]) -> None:
        """Run the work as it will be recorded, without recording it."""

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        """Record the work, running nothing; the result runs it. Raises RuntimeError where that cannot be."""

    def close(self) -> None:
        """Give back what recording needed."""


class RecordedStep:
    """Runs the steps of epoch after epoch from tables at fixed places.

    Without a recorder, or where its recording fails or does not do what the step does, the same step is simply called. The
    steps and their results are the same in every case; only the proof's own steps come on top, and are undone.

    Args:
        step: trains on a batch at a learning rate, a tensor without dimensions; returns its loss. It must not wait for
            the device, and keep what it changes at the same places.
        changes: by name, the tensors that a step changes: weights and gradients, whose names begin with ``weight`` and
            ``gradient``, and moments. Called when all of them are there.
        longest: steps of the longest epoch.
        device: where everything lies.
        recorder: None: plain calls.
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
        self._next, self._count = 0, 0  # the line of the next step, and the epoch's lines

    @property
    def replays(self) -> bool:
        """Whether steps are replays of a recording that has proven itself."""
        return self._replay is not None

    def load(self, plan: Plan, rates: Sequence[float]) -> Tensor:
        """Take an epoch's batches and learning rates; returns the running sum of its losses, which steps add to."""
        if self._plan is None:
            self._plan = plan.room_for(self._longest)
        self._plan.fill(plan)
        self._rates[: len(rates)].copy_(torch.tensor(rates))
        self._line.zero_()
        self._total.zero_()
        self._next, self._count = 0, len(rates)
        return self._total

    def __call__(self) -> None:
        """The next step of the epoch."""
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
        assert self._plan is not None, "load() comes first"
        rate = self._rates.index_select(0, self._line).squeeze(0)
        self._total += self._step(self._plan.batch(self._line), rate)
        self._line += 1

    def _step_and_prove(self, recorder: Recorder) -> None:
        """A plain step; then a recording, which is used from the next step on if it proves itself."""
        before = self._kept()
        recorder.run(self._body)
        after = self._kept()
        if not bool(torch.isfinite(after["loss"])):
            return  # nothing can be compared; the caller ends such a run
        wrong = self._prove(recorder, before)
        if wrong is None:
            self._put(after)
            return
        recorder.close()
        self._recorder = self._replay = None
        told = f"steps are not recorded, so small networks train more slowly: {wrong}"
        warnings.warn(told, RecordingWarning, stacklevel=4)
        # Again, so that nothing is left of what a recording may have written.
        self._put({name: value for name, value in before.items() if not name.startswith("gradient")})
        self._body()

    def _prove(self, recorder: Recorder, before: Mapping[str, Tensor]) -> str | None:
        """Record a step and compare it with a plain one; what is wrong with it, or None."""
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
    """The first thing in which two steps from one state differ by more than rounding, and by how much; None: in nothing."""
    if not torch.equal(plain["line"], replayed["line"]):
        return f"its line: {int(replayed['line'])}, not {int(plain['line'])}"
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
    """Of the error that came first: a recording that an error breaks off cannot be ended without another."""
    while error.__context__ is not None:
        error = error.__context__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
