"""Recording of work as a CUDA graph.

Follows the rules for CUDA graphs (CUDA C++ Programming Guide, "CUDA Graphs"; PyTorch notes, "CUDA semantics"): work is
captured on a stream other than the default one, the graph's device is the current device, and captured work never
synchronizes with the device.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from srcnn.system.gpu import on, release_memory
from srcnn.system.torch_internals import clear_cublas_workspaces, without_capturable_warning

__all__ = ["CudaRecorder"]


class CudaRecorder:
    """A `srcnn.training.recorded_step.Recorder` for one GPU.

    One stream is used for all steps before the recording and for the recording itself, because the allocator and cuBLAS keep
    memory for every stream that was used.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._side: torch.cuda.Stream | None = None

    def run(self, body: Callable[[], None]) -> None:
        """Run the work on the recording stream. Later work on the main stream waits for it."""
        with on(self._device):
            side, main = self._stream(), torch.cuda.current_stream(self._device)
            side.wait_stream(main)
            try:
                with torch.cuda.stream(side), without_capturable_warning():
                    body()
            finally:
                main.wait_stream(side)

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        """Record the work without running it.

        Returns:
            A function that runs the recorded work on the current stream.

        Raises:
            RuntimeError: CUDA cannot record the work.
        """
        with on(self._device):
            main, graph = torch.cuda.current_stream(self._device), torch.cuda.CUDAGraph()
            # An older cuBLAS workspace would lie outside the graph's memory pool, and the graph would read it after it was
            # freed. Without it, the recording allocates its own workspace in the graph's pool.
            clear_cublas_workspaces()
            try:
                # Other threads of the process (Ray, the watchdog) may allocate during the recording.
                with torch.cuda.graph(graph, stream=self._stream(), capture_error_mode="thread_local"):
                    body()
            except BaseException:
                torch.cuda.set_stream(main)  # if ending a recording fails, torch leaves the recording stream current
                raise
            finally:
                self.close()
        return graph.replay

    def close(self) -> None:
        """Release the memory of the recording stream. A graph keeps its own memory."""
        self._side = None
        with on(self._device):
            release_memory(self._device)

    def _stream(self) -> torch.cuda.Stream:
        if self._side is None:
            self._side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        return self._side
