"""A process that trains one network in slices: with this project's training or the plain loop.

Each has its own process, so that settings of the allocator and oneDNN have no effect on the other. The parent
(`Worker`) writes one line of JSON and reads one:

    {"do": "run", "seconds": 2}  ->  {"pixels": ..., "seconds": ...}
    {"do": "psnr"}               ->  {"psnr": ...}      of the plain loop on the test set
    {"do": "peak"}               ->  {"flops": ...}     of a matrix product, per second
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any

import torch

from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet, split
from srcnn.data.known_sets import data_root
from srcnn.evaluation.degradation import degrade
from srcnn.system.device import pick_device, resolve_precision
from srcnn.training.fit import EpochResult, fit
from srcnn.training.patches import TrainingData, prepare
from srcnn.training.throughput import endless

from _bench.machine import child_environment, clock, images, peak, pinned
from _bench.plain import PlainLoop

__all__ = ["FILTERS", "SCALE", "SPLIT_SEED", "Worker", "held_out", "ours_config"]

SCALE = 3
FILTERS = (64, 32)
SPLIT_SEED = 123


def held_out(training: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Return training images and validation images, a tenth: 82 and 9 of T91."""
    return split(training, max(1, round(len(training) / 10)), SPLIT_SEED)


def ours_config(kernels: str, epoch_pixels: float) -> TrainConfig:
    """Return the default configuration with a budget that is never reached."""
    return endless(kernels, FILTERS, SCALE, epoch_pixels)


class _Ours:
    """A run of `srcnn.training.fit.fit` in epochs of a quarter of a second."""

    def __init__(self, kernels: str, data: TrainingData, device: str) -> None:
        self._device = device

        def epochs(length: float) -> Iterator[EpochResult]:
            return fit(ours_config(kernels, length), data, device=pick_device(device))

        first = list(islice(epochs(2e5), 3))
        rate = (first[2].pixels - first[0].pixels) / (first[2].seconds - first[0].seconds)
        self._epochs, self._pixels = epochs(rate / 4), 0
        self.run(0.5)

    def run(self, seconds: float) -> tuple[int, float]:
        """Train for at least ``seconds``. Return (target pixels, seconds by `clock`)."""
        before, started, begin = self._pixels, time.perf_counter(), clock(self._device)
        while time.perf_counter() - started < seconds:
            self._pixels = next(self._epochs).pixels
        return self._pixels - before, clock(self._device) - begin


def _serve(kind: str, kernels: str, device: str, core: int | None, root: str | None, validate: bool) -> None:
    with pinned(core):
        training = images("T91", data_root(root), "sample/train")
        if validate:
            training, _ = held_out(training)
        data = prepare(training.images, SCALE)
        test = images("Set5", data_root(root), "sample/test") if kind == "plain" else None
        degraded = [degrade(image, SCALE, name=name) for name, image in test.images] if test else []
        precision = resolve_precision("auto" if kind == "ours" else "fp32", torch.device(device))
        loop: _Ours | PlainLoop
        if kind == "ours":
            loop = _Ours(kernels, data, device)
        else:
            loop = PlainLoop([int(k) for k in kernels.split("-")], FILTERS, data, device)
        print("{}", flush=True)  # ready
        for line in sys.stdin:
            request = json.loads(line)
            answer: dict[str, Any] = {}
            if request["do"] == "run":
                pixels, seconds = loop.run(request["seconds"])
                answer = {"pixels": pixels, "seconds": seconds}
            elif request["do"] == "peak":
                answer = {"flops": peak(device, precision)}
            elif isinstance(loop, PlainLoop):
                answer = {"psnr": sum(map(loop.psnr, degraded)) / len(degraded)}
            print(json.dumps(answer), flush=True)


class Worker:
    """The process, as seen by its parent. Use it with ``with``; it is ready when the block begins."""

    def __init__(
        self, kind: str, kernels: str, device: str, core: int | None, root: str | None, *, validate: bool = False
    ) -> None:
        job = json.dumps([kind, kernels, device, core, root, validate])
        command = [sys.executable, "-m", "_bench.worker", job]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=child_environment()
        )

    def __enter__(self) -> Worker:
        self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()
        self._process.communicate()

    def send(self, **request: Any) -> None:
        """Send a request without waiting."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """Return the answer to `send`."""
        return self._read()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return its answer."""
        self.send(**request)
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker of the benchmark ended with code {self._process.wait()}; see its error above")
        answer: dict[str, Any] = json.loads(line)
        return answer


if __name__ == "__main__":
    _serve(*json.loads(sys.argv[1]))
