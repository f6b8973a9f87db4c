"""Section ``small-photos``: a folder of 200 photos of 320x240 at x2, from file to file, on one core and two.

The command ``experiments/upscale.py`` is measured beside a loop over the same network in ONNX Runtime that reads a JPEG file,
enlarges it and writes one. Seconds are those of the work, from the first photo to the last file, without the start of Python.
Core-seconds, which other programs disturb less, also have the loading of the network. Each measurement has a new process, kept to
as many cores as it has threads; the ways take turns.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from srcnn.champions import load_champion
from srcnn.commands.upscale import main as upscale_command
from srcnn.errors import SRCNNError
from srcnn.system.own_process import in_own_process
from srcnn.tuning.adapters.environment import temporarily

from _bench.machine import images
from _bench.record import Bench, summary
from _bench.upscale import SCALE, WAYS, big_photo

__all__ = ["FOLDER_WAYS", "measure_folder", "run_small_photos", "write_photos"]

_PHOTOS, _QUICK_PHOTOS = 200, 4
_SIZE = (320, 240)  # width and height
_QUALITY = 95  # of the results, with all of their chroma, as upscale.py writes them
_REPEATS = 1


def write_photos(folder: Path, count: int, size: tuple[int, int], root: str | None) -> str:
    """Write photos of a size, crops of BSDS300/train, as JPEG files of quality 92. Return the name of the set."""
    found = images("BSDS300/train", Path(root or "data"), "sample/train")
    sources = [image for _, image in found.images if image.ndim == 3]
    for i in range(count):
        photo = big_photo(*size, sources[i % len(sources) :])
        Image.fromarray(photo).save(folder / f"{i:03}.jpg", quality=92)
    return found.name


def _ours(folder: Path, out: Path, threads: int) -> float:
    lines = io.StringIO()
    with redirect_stdout(lines):
        upscale_command([str(folder), "--out", str(out), "--scale", str(SCALE), "--threads", str(threads), "--json"])
    return float(json.loads(lines.getvalue().splitlines()[-1])["seconds"])


def _onnxruntime(folder: Path, out: Path, threads: int) -> float:
    enlarge = WAYS["ONNX Runtime, fp32"](load_champion(SCALE), threads)
    out.mkdir()
    started = time.perf_counter()
    for file in sorted(folder.iterdir()):
        with Image.open(file) as photo:
            large = enlarge(np.asarray(photo.convert("RGB")))
        Image.fromarray(large).save(out / file.name, quality=_QUALITY, subsampling=0)
    return time.perf_counter() - started


FOLDER_WAYS: dict[str, Callable[[Path, Path, int], float]] = {"ours": _ours, "ONNX Runtime, fp32": _onnxruntime}


def measure_folder(way: str, threads: int, cores: list[int], folder: str) -> dict[str, Any]:
    """Enlarge the photos of a folder in this process, on these cores.

    Returns:
        seconds, core-seconds, peak memory in MB, and the number of files written; or the reason why it cannot run.
    """
    if cores:
        os.sched_setaffinity(0, cores)
    torch.set_num_threads(threads)
    began = time.process_time()
    with TemporaryDirectory() as place:
        out = Path(place) / "out"
        try:
            seconds = FOLDER_WAYS[way](Path(folder), out, threads)
        except Exception as error:
            return {"skipped": f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"}
        spent = time.process_time() - began
        written = len([file for file in out.iterdir() if not file.name.startswith(".")])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return {"seconds": seconds, "core_seconds": spent, "peak_mb": peak, "files": written}


def run_small_photos(bench: Bench) -> None:
    """Measure and print."""
    count, repeats = (_QUICK_PHOTOS, 1) if bench.quick else (_PHOTOS, _REPEATS)
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    first = [bench.core] if bench.core is not None and bench.core in allowed else allowed[:1]
    places = {1: first}
    if not bench.quick and (len(allowed) or os.cpu_count() or 1) >= 2:
        places[2] = (first + [core for core in allowed if core not in first])[:2]
    result: dict[str, Any] = {"photos": count, "size": _SIZE, "scale": SCALE, "rows": []}
    result["network"] = load_champion(SCALE).config.name
    with TemporaryDirectory() as folder:
        result["crops_of"] = write_photos(Path(folder), count, _SIZE, bench.data_root)
        for threads, cores in places.items():
            found: dict[str, list[dict[str, Any]]] = {way: [] for way in FOLDER_WAYS}
            for _ in range(repeats):
                for way, runs in found.items():
                    if not runs or "skipped" not in runs[-1]:
                        runs.append(_apart(way, threads, cores, folder))
                        bench.say(f"{way}, {threads} cores: {runs[-1].get('seconds', 'skipped')}")
            result["rows"] += [_row(way, threads, runs) for way, runs in found.items()]
            bench.record.put("small-photos", result, n=repeats)
    _print(bench, result)


def _apart(way: str, threads: int, cores: list[int], folder: str) -> dict[str, Any]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    with temporarily(dict.fromkeys(names, str(threads))):
        try:
            return in_own_process(measure_folder, way, threads, cores, folder)
        except SRCNNError as error:
            return {"skipped": str(error)}


def _row(way: str, threads: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"way": way, "threads": threads}
    if "skipped" in runs[-1]:
        return row | {"skipped": runs[-1]["skipped"]}
    for name in ("seconds", "core_seconds", "peak_mb"):
        row[name] = summary([run[name] for run in runs])
    files = runs[-1]["files"]
    per_core = files / row["core_seconds"]["median"]
    return row | {
        "files": files,
        "photos_per_second": files / row["seconds"]["median"],
        "photos_per_core_second": per_core,
    }


def _print(bench: Bench, result: dict[str, Any]) -> None:
    table = []
    for row in result["rows"]:
        if "skipped" in row:
            table.append([row["way"], row["threads"], row["skipped"], "", "", ""])
            continue
        seconds = row["seconds"]
        spread = f"{seconds['median']:.2f} [{seconds['min']:.2f}..{seconds['max']:.2f}], n {seconds['n']}"
        memory = f"{row['peak_mb']['median']:.0f}"
        speeds = [f"{row[name]:.1f}" for name in ("photos_per_second", "photos_per_core_second")]
        table.append([row["way"], row["threads"], spread, *speeds, memory])
    heads = ["way", "cores", "seconds: median [smallest..largest]", "photos/s", "photos/core-second", "peak MB"]
    wide, high = result["size"]
    note = (
        f"{result['photos']} photos of {wide}x{high} to x{result['scale']}, JPEG to JPEG, network {result['network']}"
    )
    bench.table("small-photos", heads, table, [note])
