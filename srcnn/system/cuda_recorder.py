"""Records work as a CUDA graph.

After CUDA's rules for graphs (CUDA C++ Programming Guide, "CUDA Graphs"; torch's notes, "CUDA semantics"): work is recorded on
a stream other than the default one, the device that it belongs to is the current one, and what is recorded never waits
for the device.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from srcnn.system.gpu import on, release_memory
from srcnn.system.torch_internals import clear_cublas_workspaces, without_capturable_warning

__all__ = ["CudaRecorder"]


class CudaRecorder:
    """A `srcnn.training.recorded_step.Recorder` for one GPU.

    One stream serves all steps before the recording and the recording itself: the allocator and cuBLAS keep memory for every
    stream that they have seen.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._side: torch.cuda.Stream | None = None

    def run(self, body: Callable[[], None]) -> None:
        """Run the work on the stream of the recording; what follows on the main stream waits for it."""
        with on(self._device):
            side, main = self._stream(), torch.cuda.current_stream(self._device)
            side.wait_stream(main)
            try:
                with torch.cuda.stream(side), without_capturable_warning():
                    body()
            finally:
                main.wait_stream(side)

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        """Record the work without running it; the result runs it on the stream that is then current.

        Raises:
            RuntimeError: CUDA cannot record it.
        """
        with on(self._device):
            main, graph = torch.cuda.current_stream(self._device), torch.cuda.CUDAGraph()
            # A workspace from before would lie outside the graph's memory, and the graph would read it after it was freed. So
            # the recording makes its own, which stays in the graph's memory.
            clear_cublas_workspaces()
            try:
                # Other threads of a trial (Ray's, the watchdog's) may allocate meanwhile.
                with torch.cuda.graph(graph, stream=self._stream(), capture_error_mode="thread_local"):
                    body()
            except BaseException:
                torch.cuda.set_stream(
                    main
                )  # where the end of a recording fails, torch leaves its stream the current one
                raise
            finally:
                self.close()
        return graph.replay

    def close(self) -> None:
        """Give back what the stream of the recording holds; a graph keeps its own memory."""
        self._side = None
        with on(self._device):
            release_memory(self._device)

    def _stream(self) -> torch.cuda.Stream:
        if self._side is None:
            self._side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        return self._side
