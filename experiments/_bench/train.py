"""Section ``train``: target pixels per second of `srcnn.training.fit.fit` and of the plain loop, and the fraction of the peak.

The fraction of the peak is the number of operations in the convolutions of a step (forward, weight gradients, and input
gradients except for the first layer) at all computed positions, divided by the time and by the speed of a large matrix
product in the same precision. That speed is the higher of two measurements, before and after. On a CPU the time is CPU
time of the process, which excludes other users of the core; on a GPU it is wall time.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from typing import Any

from srcnn.config.training import TrainConfig
from srcnn.data.known_sets import data_root
from srcnn.training.throughput import step_flops

from _bench.machine import images
from _bench.plain import BATCH, SIDE
from _bench.record import Bench, summary
from _bench.worker import FILTERS, Worker, ours_config

__all__ = ["PACKED", "plain_config", "run_train", "step_flops"]

PACKED = 4


def plain_config(kernels: str) -> TrainConfig:
    """Return the sizes of the plain loop, to count its operations."""
    sizes: dict[str, Any] = {"kernels": kernels, "filters": FILTERS, "patch_size": SIDE, "batch_size": BATCH}
    return TrainConfig(**sizes, padding="zeros", pixels=1)


def _flops_per_pixel(config: TrainConfig) -> float:
    return step_flops(config) / (config.batch_size * config.output_size**2)


def run_train(bench: Bench) -> None:
    """Measure and print one row per choice of kernels."""
    rounds, seconds = (3, 0.3) if bench.quick else (7, 2.0)
    data = images("T91", data_root(bench.data_root), "sample/train").name
    precision = "bf16" if bench.record.environment["bf16"] else "fp32"
    rows = []
    for kernels in bench.kernels:
        row = _measure(bench, kernels, rounds, seconds, precision)
        if bench.on_gpu:
            row["packed"] = _packed(bench, kernels, rounds, seconds)
        rows.append({**row, "data": data})
        bench.record.put("train", rows, n=rounds)
        bench.say(f"{kernels}: {row['ours']:.2f} Mpixel/s, {row['ratio']:.1f} times the plain loop")
    _show(bench, rows)


def _measure(bench: Bench, kernels: str, rounds: int, seconds: float, precision: str) -> dict[str, Any]:
    place = (bench.device, bench.core, bench.data_root)
    per_pixel = _flops_per_pixel(ours_config(kernels, 1e6))
    ours, plain, peaks, shares = [], [], [], []
    with Worker("ours", kernels, *place) as a, Worker("plain", kernels, *place) as b:
        b.ask(do="run", seconds=0.5)
        for _ in range(rounds):
            before = a.ask(do="peak")["flops"]
            ours.append(_rate(a.ask(do="run", seconds=seconds)))
            peaks.append(max(before, a.ask(do="peak")["flops"]))
            plain.append(_rate(b.ask(do="run", seconds=seconds)))
            shares.append(ours[-1] * 1e6 * per_pixel / peaks[-1])
    ratios = [x / y for x, y in zip(ours, plain, strict=True)]
    row: dict[str, Any] = {"kernels": kernels, "n": rounds}
    for name, values in (("ours", ours), ("plain", plain), ("ratio", ratios), ("peak_share", shares)):
        row[name] = statistics.median(values)
        row[f"{name}_spread"] = [min(values), max(values)]
    plain_per_pixel = _flops_per_pixel(plain_config(kernels))
    return row | {
        "gflops": row["ours"] * per_pixel / 1e3,
        "plain_gflops": row["plain"] * plain_per_pixel / 1e3,
        "peak_gflops": statistics.median(peaks) / 1e9,
        "flops_per_pixel": per_pixel,
        "plain_flops_per_pixel": plain_per_pixel,
        "precision": precision,
        "seconds_per_sample": seconds,
    }


def _rate(answer: dict[str, Any]) -> float:
    """Return the training speed, in Mpixel/s."""
    return float(answer["pixels"] / answer["seconds"] / 1e6)


def _packed(bench: Bench, kernels: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Return the total training speed of four concurrent trials on one GPU."""
    totals = []
    with ExitStack() as stack:
        # Not pinned: each of these trials launches from its own core.
        made = [Worker("ours", kernels, bench.device, None, bench.data_root) for _ in range(PACKED)]
        workers = [stack.enter_context(worker) for worker in made]
        for _ in range(rounds):
            for worker in workers:
                worker.send(do="run", seconds=max(seconds, 1.0))
            totals.append(sum(_rate(worker.receive()) for worker in workers))
            time.sleep(0.05)
    tflops = statistics.median(totals) * _flops_per_pixel(ours_config(kernels, 1e6)) / 1e6
    return {"trials": PACKED, "mpixels": summary(totals), "tflops": tflops}


def _show(bench: Bench, rows: list[dict[str, Any]]) -> None:
    def cell(row: dict[str, Any], name: str, digits: int, unit: float = 1.0) -> str:
        low, high = row[f"{name}_spread"]
        return f"{row[name] * unit:.{digits}f} [{low * unit:.{digits}f}..{high * unit:.{digits}f}]"

    heads = ["kernels", "ours Mpixel/s", "plain Mpixel/s", "ratio", "ours GFLOP/s", "peak GFLOP/s", "share of peak, %"]
    if bench.on_gpu:
        heads.append(f"{PACKED} packed Mpixel/s (TFLOP/s)")
    table = []
    for row in rows:
        cells = [row["kernels"], cell(row, "ours", 2), cell(row, "plain", 3), cell(row, "ratio", 1)]
        cells += [f"{row['gflops']:.0f}", f"{row['peak_gflops']:.0f}", cell(row, "peak_share", 0, 100)]
        if "packed" in row:
            cells.append(f"{row['packed']['mpixels']['median']:.1f} ({row['packed']['tflops']:.1f})")
        table.append(cells)
    first = rows[0]
    where = "one GPU" if bench.on_gpu else "one core, one thread, core-seconds"
    notes = [
        f"{where}; medians of {first['n']} samples of {first['seconds_per_sample']:g} s, interleaved; [smallest..largest]",
        f"data {first['data']}, x3, filters 64-32; ours and the matrix product in {first['precision']}, plain in fp32",
    ]
    bench.table("training, target pixels a second", heads, table, notes)
