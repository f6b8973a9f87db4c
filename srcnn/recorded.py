"""One training step, recorded on a GPU and replayed.

A step of a small network is some two hundred kernels of a few microseconds each. Python needs longer to launch them than
the GPU to run them, so they are recorded once as a CUDA graph, and each further step is a single launch. What changes
from step to step (the places of the sub-images, the learning rate) lies in tables on the device, and the step itself
counts its line in them: nothing is copied and nobody waits between the steps of an epoch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from srcnn.patches import Batch, Plan

__all__ = ["RecordedStep"]

_WARM = 4  # steps before the recording: optimisers make their moments and cuDNN chooses its algorithms in the first


class RecordedStep:
    """Runs the steps of epoch after epoch from tables at fixed places.

    Without a GPU, or where a graph cannot be recorded, the same step is simply called.

    Args:
        step: trains on a batch at a learning rate, a tensor without dimensions; returns its loss. It must not wait for
            the device, and keep what it changes at the same places.
        longest: steps of the longest epoch.
        device: where everything lies.
    """

    def __init__(self, step: Callable[[Batch, Tensor], Tensor], longest: int, device: torch.device) -> None:
        self._step, self._longest, self._device = step, longest, device
        self._line = torch.zeros(1, dtype=torch.int64, device=device)
        self._rates = torch.zeros(longest, device=device)
        self._total = torch.zeros((), device=device)
        self._plan: Plan | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._taken = 0
        self._records = device.type == "cuda"

    def load(self, plan: Plan, rates: Sequence[float]) -> Tensor:
        """Take an epoch's batches and learning rates; returns the running sum of its losses, which steps add to."""
        if self._plan is None:
            self._plan = plan.room_for(self._longest)
        self._plan.fill(plan)
        self._rates[: len(rates)].copy_(torch.tensor(rates))
        self._line.zero_()
        self._total.zero_()
        return self._total

    def __call__(self) -> None:
        """The next step of the epoch."""
        if self._graph is not None:
            self._graph.replay()
            return
        if self._records and self._taken >= _WARM:
            self._record()
            return
        if self._records:
            self._warm_up()
        else:
            self._body()
        self._taken += 1

    def _warm_up(self) -> None:
        """A step that may be followed by a recording: it runs beside the default stream."""
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        main = torch.cuda.current_stream(self._device)
        stream.wait_stream(main)
        with torch.cuda.stream(stream), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="This instance was constructed with capturable=True")
            self._body()
        main.wait_stream(stream)

    def _record(self) -> None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):  # records, runs nothing
                self._body()
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            warnings.warn(f"no CUDA graph, so small networks train more slowly: {reason}", stacklevel=2)
            self._records = False
            self._body()
            return
        self._graph = graph
        graph.replay()

    def _body(self) -> None:
        assert self._plan is not None, "load() comes first"
        rate = self._rates.index_select(0, self._line).squeeze(0)
        self._total += self._step(self._plan.batch(self._line), rate)
        self._line += 1
