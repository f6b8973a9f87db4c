"""A process that trains one seven-layer chain in slices, for the section ``train-deep``.

It imports only the library, so that PYTHONPATH may name the checkout of another commit. It reads one line of JSON and writes one:

    {"do": "run", "seconds": 2}  ->  {"pixels": ..., "seconds": ...}    target pixels, and seconds of the core's time
    {"do": "peak"}               ->  {"flops": ...}                     of a matrix product, per second
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.system.device import pick_device, resolve_precision
from srcnn.training.fit import EpochResult, fit
from srcnn.training.patches import prepare
from srcnn.training.throughput import clock, matrix_peak

__all__ = ["deep_config"]


def deep_config(scale: int, epoch_pixels: float) -> TrainConfig:
    """Return the seven-layer chain of 52,484 weights and biases at x2, in training without an end."""
    return TrainConfig(
        kernels="3-3-3-3-3-3-3",
        filters="48-32-32-32-32-32",
        scale=scale,
        upsampling="pixel_shuffle",
        padding="zeros",
        patch_size=60,
        batch_size=8,
        pixels=1e12,
        epoch_pixels=epoch_pixels,
        warmup=1e-6,
    )


def _serve(scale: int, device: str, name: str, root: str) -> None:
    torch.set_num_threads(1)
    place = pick_device(device)
    data = prepare(load(name, Path(root)).images, scale)

    def epochs(length: float) -> Iterator[EpochResult]:
        return fit(deep_config(scale, length), data, device=place)

    first = list(islice(epochs(2e5), 3))
    rate = (first[2].pixels - first[0].pixels) / (first[2].seconds - first[0].seconds)
    run, done = epochs(rate / 4), 0
    done = next(run).pixels
    print("{}", flush=True)  # ready
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "peak":
            print(json.dumps({"flops": matrix_peak(place, resolve_precision("auto", place))}), flush=True)
            continue
        before, started, began = done, time.perf_counter(), clock(place)
        while time.perf_counter() - started < request["seconds"]:
            done = next(run).pixels
        print(json.dumps({"pixels": done - before, "seconds": clock(place) - began}), flush=True)


if __name__ == "__main__":
    _serve(*json.loads(sys.argv[1]))
