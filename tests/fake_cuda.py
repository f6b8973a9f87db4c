"""A machine with GPUs that are not there: the C functions of torch.cuda are replaced, its Python code is not.

So torch itself checks the arguments of every call, as it does on a GPU, and the functions here check what CUDA would: that a
device exists, that a stream belongs to a device, that nothing waits within a recording, and that nothing is recorded on the
default stream. No tensor can be made on such a device.

`calls_of` lists the places in source files that call ``torch.cuda`` or ``torch._C._cuda...``, and `Watch` which of them run.
"""

from __future__ import annotations

import ast
import importlib.util
import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

GIB = 2**30
Place = tuple[str, int, int, int, int]  #: file, first line, last line, first column, last column


class Driver:
    """The driver of ``count`` GPUs of 80 GiB, and a log of what was asked of it."""

    def __init__(self, count: int, major: int = 8) -> None:
        self.count, self.major = count, major
        self.current = 0
        self.streams: dict[int, int] = {}  #: of every device, the number of its current stream
        self.made: list[tuple[int, int]] = []  #: streams that were made: device, number
        self.capturing: tuple[int, int] | None = None
        self.spoilt = False  # the recording in progress
        self.fractions: dict[int, float] = {}
        self.log: list[tuple[Any, ...]] = []
        self.numbers = itertools.count(1)

    @property
    def visible(self) -> int:
        """GPUs that CUDA_VISIBLE_DEVICES leaves."""
        return len([i for i in torch.cuda._parse_visible_devices() if isinstance(i, int) and i < self.count])

    @property
    def now(self) -> tuple[int, int]:
        """The current device and its current stream."""
        return self.current, self.streams.get(self.current, 0)

    def device(self, index: int) -> int:
        """The index, if it is one."""
        if type(index) is not int or not 0 <= index < self.visible:
            raise RuntimeError(f"CUDA error: invalid device ordinal: {index!r}")
        return index

    def exchange(self, index: int) -> int:
        before = self.current
        if index >= 0:
            self.current = self.device(index)
        return before

    def wait(self) -> None:
        self.log.append(("synchronize", self.current))
        if self.capturing is not None:
            self.spoilt = True
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    def set_stream(self, stream_id: int, device_index: int, device_type: int) -> None:
        self.current = self.device(device_index)  # as torch does
        self.streams[device_index] = stream_id

    def stream(self, index: int) -> tuple[int, int, int]:
        return self.streams.get(self.device(index), 0), index, 1

    def stats(self, index: int) -> dict[str, Any]:
        self.device(index)
        return {"reserved_bytes": {"all": {"current": GIB, "peak": 3 * GIB}}}

    def properties(self, index: int) -> SimpleNamespace:
        self.device(index)
        return SimpleNamespace(name=f"GPU {index}", total_memory=80 * GIB, major=self.major, minor=0)

    def memory_info(self, index: int) -> tuple[int, int]:
        self.device(index)
        return 70 * GIB, 80 * GIB

    def set_fraction(self, fraction: float, index: int) -> None:
        self.fractions[self.device(index)] = fraction


def install(patch: pytest.MonkeyPatch, count: int = 2, major: int = 8) -> Driver:
    """Put GPUs into this process until the patch is undone."""
    driver = Driver(count, major)

    def available() -> bool:
        return driver.visible > 0

    def device_count() -> int:
        return driver.visible

    functions = {
        "_cuda_init": lambda: driver.log.append(("init",)),
        "_cuda_getDeviceCount": device_count,
        "_cuda_getDevice": lambda: driver.current,
        "_cuda_setDevice": driver.exchange,
        "_cuda_exchangeDevice": driver.exchange,
        "_cuda_maybeExchangeDevice": driver.exchange,
        "_cuda_getArchFlags": lambda: None,
        "_cuda_synchronize": driver.wait,
        "_cuda_emptyCache": lambda: driver.log.append(("empty_cache",)),
        "_cuda_clearCublasWorkspaces": lambda: driver.log.append(("clear_workspaces",)),
        "_cuda_setMemoryFraction": driver.set_fraction,
        "_cuda_memoryStats": driver.stats,
        "_cuda_resetPeakMemoryStats": lambda index: driver.log.append(("reset_peak", driver.device(index))),
        "_cuda_getCurrentStream": driver.stream,
        "_cuda_getDefaultStream": lambda index: (0, driver.device(index), 1),
        "_cuda_setStream": driver.set_stream,
        "_cuda_isCurrentStreamCapturing": lambda: driver.capturing == driver.now,
    }
    for name, function in functions.items():
        patch.setattr(torch._C, name, function, raising=False)
    patch.setattr(torch._C, "_has_cuda", True)
    patch.setattr(torch._C, "_host_emptyCache", lambda: None, raising=False)
    patch.setattr(torch._C, "_graph_pool_handle", lambda: (0, 1), raising=False)
    # Names of torch.cuda that are C functions, or lists of what those fill.
    patch.setattr(torch.cuda, "_exchange_device", driver.exchange)
    patch.setattr(torch.cuda, "_maybe_exchange_device", driver.exchange)
    patch.setattr(torch.cuda, "_get_device_properties", driver.properties, raising=False)
    patch.setattr(torch.cuda, "_cudart", SimpleNamespace(cudaMemGetInfo=driver.memory_info))
    patch.setattr(torch.cuda, "default_generators", tuple(torch.Generator() for _ in range(count)))
    patch.setattr(torch.cuda, "_initialized", False)
    patch.setattr(torch.cuda, "_queued_calls", [])
    patch.setattr(torch.cuda, "is_available", available)
    patch.setattr(torch.cuda, "device_count", device_count)
    for name, base in _classes(driver).items():
        patch.setattr(torch._C, name, base, raising=False)
    # torch's own classes once more, over these C classes.
    streams, graphs = _again("streams"), None
    patch.setattr(torch.cuda, "Stream", streams.Stream)
    patch.setattr(torch.cuda, "Event", streams.Event)
    graphs = _again("graphs")
    patch.setattr(torch.cuda, "CUDAGraph", graphs.CUDAGraph)
    patch.setattr(torch.cuda, "graph", graphs.graph)
    return driver


def _again(name: str) -> ModuleType:
    """A module of torch.cuda, run anew from its file."""
    file = sys.modules[f"torch.cuda.{name}"].__file__
    assert file is not None
    spec = importlib.util.spec_from_file_location(f"torch.cuda.{name}_again", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _classes(driver: Driver) -> dict[str, type]:
    class StreamBase:
        stream_id: int
        device_index: int

        def __new__(
            cls, priority: int = 0, stream_id: int | None = None, device_index: int = 0, device_type: int = 1
        ) -> StreamBase:
            made = object.__new__(cls)
            if stream_id is None:
                stream_id, device_index = next(driver.numbers), driver.current
                driver.made.append((device_index, stream_id))
            made.__dict__.update(stream_id=stream_id, device_index=driver.device(device_index), device_type=device_type)
            made.__dict__.update(device=torch.device("cuda", device_index), cuda_stream=stream_id)
            return made

        def __init__(self, *args: object, **kwargs: object) -> None:
            pass

    class EventBase:
        def __new__(cls, **kwargs: bool) -> EventBase:
            return object.__new__(cls)

        def record(self, stream: StreamBase) -> None:
            self.__dict__["stream"] = stream
            driver.log.append(("record", stream.device_index, stream.stream_id))

        def wait(self, stream: StreamBase) -> None:
            of = self.__dict__["stream"]
            driver.log.append(("wait", (stream.device_index, stream.stream_id), (of.device_index, of.stream_id)))

    class GraphBase:
        def __new__(cls, keep_graph: bool = False) -> GraphBase:
            return object.__new__(cls)

        def capture_begin(self, pool: object = None, capture_error_mode: str = "global") -> None:
            if driver.now[1] == 0:
                raise RuntimeError("CUDA graphs must be captured on a non-default stream.")
            driver.capturing, driver.spoilt = driver.now, False
            driver.log.append(("capture", *driver.now))

        def capture_end(self) -> None:
            was, driver.capturing = driver.capturing, None
            if was != driver.now:
                raise RuntimeError("Capture must end on the same stream it began on.")
            if driver.spoilt:
                raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

        def replay(self) -> None:
            driver.log.append(("replay", *driver.now))

        def reset(self) -> None:
            driver.log.append(("reset",))

    return {"_CudaStreamBase": StreamBase, "_CudaEventBase": EventBase, "_CUDAGraph": GraphBase}


def calls_of(files: Iterable[Path]) -> dict[Place, str]:
    """Every place that calls something of torch.cuda, or a C function behind it, and what it calls."""
    found: dict[Place, str] = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and f"{node.module}.".startswith("torch."):
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                assert not any(name.startswith("torch.cuda") for name in names), f"{file}: import torch, not its parts"
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("torch.cuda.", "torch._C._cuda")):
                assert node.end_lineno is not None and node.end_col_offset is not None
                place = (str(file), node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
                found[place] = ast.unparse(node.func)
    return found


class Watch:
    """Notes, while it is on, from which of some places a Python function is called."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._wanted = set(places)
        self._files = {place[0] for place in self._wanted}
        self._positions: dict[CodeType, list[tuple[int | None, int | None, int | None, int | None]]] = {}
        self.seen: set[Place] = set()
        self._before: Any = None

    def __enter__(self) -> Watch:
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *exception: object) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, event: str, argument: object) -> None:
        caller = frame.f_back
        if event != "call" or caller is None or caller.f_code.co_filename not in self._files:
            return
        code = caller.f_code
        positions = self._positions.setdefault(code, list(code.co_positions()))
        line, end_line, column, end_column = positions[caller.f_lasti // 2]
        if line is not None and end_line is not None and column is not None and end_column is not None:
            place = (code.co_filename, line, end_line, column, end_column)
            if place in self._wanted:
                self.seen.add(place)


def source_files(root: Path) -> Iterator[Path]:
    """The project's own files, without its tests."""
    for folder in ("srcnn", "experiments"):
        yield from sorted((root / folder).rglob("*.py"))
