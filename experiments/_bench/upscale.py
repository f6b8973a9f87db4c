"""Section ``upscale``: seconds, pixels a second and memory for a photo of 24 megapixels, and small photos a second.

Every way takes the same network and turns RGB pixels into RGB pixels. The others enlarge Y by the network in strips of rows,
because memory would not hold the layers of a whole photo, and Cb and Cr by Pillow. Each measurement has a new process; the ways
take turns.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from srcnn.champions import load_champion
from srcnn.data.known_sets import data_root
from srcnn.errors import SRCNNError
from srcnn.export.onnx_file import onnx_model
from srcnn.export.plain_network import PlainNetwork
from srcnn.model.network import SRCNN
from srcnn.system.own_process import in_own_process
from srcnn.tuning.adapters.environment import temporarily
from srcnn.upscaling.enlarge import upscale
from srcnn.upscaling.precision import prepared

from _bench.machine import images
from _bench.record import Bench, summary

__all__ = ["SCALE", "WAYS", "big_photo", "measure", "run_upscale"]

SCALE = 2
_SIZE, _QUICK_SIZE = (6000, 4000), (360, 240)  # width and height of the photo
_SMALL, _QUICK_SMALL = 200, 4  # small photos
_SMALL_SIZE = (320, 240)
_STRIP = 128  # rows of a strip of the others
_REPEATS = 3

Plane = NDArray[np.float32]
Enlarge = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def big_photo(width: int, height: int, sources: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Fill a photo (height, width, 3) with the RGB images of a set, side by side and row by row."""
    photo = np.empty((height, width, 3), np.uint8)
    at = 0
    for top in range(0, height, 240):
        left = 0
        while left < width:
            part = sources[at % len(sources)][: min(240, height - top), : width - left]
            photo[top : top + part.shape[0], left : left + part.shape[1]] = part
            photo[top + part.shape[0] : top + 240, left : left + part.shape[1]] = part[-1:]
            left, at = left + part.shape[1], at + 1
    return photo


def _by_strips(run: Callable[[Plane], Plane], network: SRCNN) -> Enlarge:
    """Enlarge Y by ``run``, from (1, 1, rows, columns) to a result ``SCALE`` times as large, and Cb and Cr by Pillow."""
    margin = sum(kernel // 2 for kernel in network.config.kernels) + 2

    def enlarge(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = photo.shape[:2]
        y, cb, cr = Image.fromarray(photo).convert("YCbCr").split()
        small, large = np.asarray(y), np.empty((height * SCALE, width * SCALE), np.uint8)
        for top in range(0, height, _STRIP):
            first, last = max(0, top - margin), min(height, top + _STRIP + margin)
            strip = run(np.multiply(small[None, None, first:last], np.float32(1 / 255), dtype=np.float32))[0, 0]
            kept = strip[(top - first) * SCALE : (min(top + _STRIP, height) - first) * SCALE]
            large[top * SCALE : top * SCALE + len(kept)] = np.clip(kept * 255 + 0.5, 0, 255.5)
        size = (width * SCALE, height * SCALE)
        chroma = [plane.resize(size, Image.Resampling.BICUBIC) for plane in (cb, cr)]
        return np.asarray(Image.merge("YCbCr", [Image.fromarray(large), *chroma]).convert("RGB"))

    return enlarge


def _ours(network: SRCNN, precision: str) -> Enlarge:
    return lambda photo: upscale(photo, SCALE, network=network, precision=precision)


def _plain(network: SRCNN) -> Enlarge:
    made = PlainNetwork(network).eval()

    @torch.inference_mode()
    def run(small: Plane) -> Plane:
        large: Plane = made(torch.from_numpy(small)).numpy()
        return large

    return _by_strips(run, network)


def _onnxruntime(network: SRCNN, threads: int) -> Enlarge:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    model = onnx_model(network).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return _by_strips(lambda small: session.run(None, {"small": small})[0], network)


def _opencv(network: SRCNN, threads: int) -> Enlarge:
    cv2: Any = importlib.import_module("cv2")  # not declared: the comparison is left out without it

    cv2.setNumThreads(threads)
    loaded = cv2.dnn.readNetFromONNX(np.frombuffer(onnx_model(network).SerializeToString(), np.uint8))

    def run(small: Plane) -> Plane:
        loaded.setInput(small)
        return np.asarray(loaded.forward(), np.float32)

    return _by_strips(run, network)


WAYS: dict[str, Callable[[SRCNN, int], Enlarge]] = {
    "ours": lambda network, _: _ours(network, "auto"),
    "ours, fp32": lambda network, _: _ours(network, "fp32"),
    "plain torch, fp32": lambda network, _: _plain(network),
    "ONNX Runtime, fp32": _onnxruntime,
    "OpenCV dnn, fp32": _opencv,
}


def measure(way: str, threads: int, size: tuple[int, int], small: int, root: str | None) -> dict[str, Any]:
    """Enlarge one photo and ``small`` small ones in this process.

    Returns:
        seconds, peak memory in MB, small photos a second and a thumbnail of the result; or the reason why it cannot run.
    """
    torch.set_num_threads(threads)
    network = load_champion(SCALE)
    sources = [image for _, image in images("BSDS300/train", data_root(root), "sample/train").images if image.ndim == 3]
    few = [big_photo(*_SMALL_SIZE, sources[i % len(sources) :]) for i in range(max(small, 1))]
    try:
        enlarge = WAYS[way](network, threads)
        first = enlarge(few[0])
    except Exception as error:
        return {"skipped": f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"}
    photo = big_photo(*size, sources)
    started = time.perf_counter()
    enlarge(photo)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    started = time.perf_counter()
    for one in few:
        enlarge(one)
    return {
        "seconds": seconds,
        "peak_mb": peak,
        "small_per_second": len(few) / (time.perf_counter() - started),
        "precision": prepared(network).precision if way == "ours" else "fp32",
        "mean_level": float(first.mean()),
    }


def run_upscale(bench: Bench) -> None:
    """Measure and print."""
    size, small = (_QUICK_SIZE, _QUICK_SMALL) if bench.quick else (_SIZE, _SMALL)
    pixels = size[0] * size[1] * SCALE**2
    result: dict[str, Any] = {"photo": size, "scale": SCALE, "network": load_champion(SCALE).config.name, "rows": []}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for threads in (1,) if bench.quick or cores < 2 else (1, 2):
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for _ in range(1 if bench.quick else _REPEATS):
            for way, runs in found.items():
                if not runs or "skipped" not in runs[-1]:
                    runs.append(_apart(way, threads, size, small, bench.data_root))
                    bench.say(f"{way}, {threads} threads: {runs[-1].get('seconds', 'skipped')}")
        for way, runs in found.items():
            row: dict[str, Any] = {"way": way, "threads": threads}
            if "skipped" in runs[-1]:
                row["skipped"] = runs[-1]["skipped"]
            else:
                for name in ("seconds", "peak_mb", "small_per_second"):
                    row[name] = summary([run[name] for run in runs])
                row["precision"], row["mean_level"] = runs[-1]["precision"], runs[-1]["mean_level"]
                row["mpixels_per_second"] = pixels / row["seconds"]["median"] / 1e6
            result["rows"].append(row)
    bench.record.put("upscale", result, n=1 if bench.quick else _REPEATS)
    _print(bench, result, pixels)


def _apart(way: str, threads: int, size: tuple[int, int], small: int, root: str | None) -> dict[str, Any]:
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    with temporarily(one):
        try:
            return in_own_process(measure, way, threads, size, small, root)
        except SRCNNError as error:
            return {"skipped": str(error)}


def _print(bench: Bench, result: dict[str, Any], pixels: int) -> None:
    first = {row["threads"]: row for row in result["rows"] if row["way"] == "ours"}
    table = []
    for row in result["rows"]:
        if "skipped" in row:
            table.append([row["way"], row["threads"], row["skipped"], "", "", "", ""])
            continue
        seconds = row["seconds"]
        ours = first[row["threads"]]["seconds"]["median"]
        table.append(
            [
                f"{row['way']} ({row['precision']})" if row["way"] == "ours" else row["way"],
                row["threads"],
                f"{seconds['median']:.2f} [{seconds['min']:.2f}..{seconds['max']:.2f}], n {seconds['n']}",
                f"{row['mpixels_per_second']:.1f}",
                f"{seconds['median'] / ours:.2f}",
                f"{row['peak_mb']['median']:.0f}",
                f"{row['small_per_second']['median']:.1f}",
            ]
        )
    heads = [
        "way",
        "threads",
        "seconds: median [smallest..largest]",
        "Mpixel/s",
        "times ours",
        "peak MB",
        "small photos/s",
    ]
    wide, high = result["photo"]
    notes = [
        f"x{SCALE}, network {result['network']}; {wide}x{high} pixels of RGB to {pixels / 1e6:.0f} megapixels, all in memory",
        f"small photos: {_SMALL_SIZE[0]}x{_SMALL_SIZE[1]}, one after the other; the others enlarge Cb and Cr by Pillow",
    ]
    bench.table("upscale", heads, table, notes)
