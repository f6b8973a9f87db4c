"""Section ``train-deep``: training speed of a seven-layer chain of 3x3 kernels at x2, x3 and x4, and its fraction of the peak.

48-32-32-32-32-32 filters, pixel_shuffle, zero padding, sub-images of 60 pixels, batches of eight: the networks of the search over
deep chains. With ``--before DIR``, the checkout of an earlier commit, the chain is also trained with its library, in slices that
alternate with those of this one; the ratio is that of neighbouring slices. Times as in section ``train``;
the peak is measured before every slice.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from srcnn.data.known_sets import data_root
from srcnn.training.throughput import step_flops

from _bench.deep_chain_worker import deep_config
from _bench.machine import ROOT, images, pinned
from _bench.record import Bench

__all__ = ["SCALES", "run_train_deep"]

SCALES = (2, 3, 4)


class _Chain:
    """The process that trains with the library of one checkout; use it with ``with``."""

    def __init__(self, checkout: Path, scale: int, bench: Bench, data: str) -> None:
        root = data_root(bench.data_root)
        job = json.dumps([scale, bench.device, data, str(root)])
        path = os.pathsep.join([str(checkout.resolve()), *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "experiments" / "_bench" / "deep_chain_worker.py"), job],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def __enter__(self) -> _Chain:
        self._read()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, **request: Any) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the training of a chain ended with code {self._process.wait()}; see its error above")
        answer: dict[str, float] = json.loads(line)
        return answer


def run_train_deep(bench: Bench) -> None:
    """Measure and print one row per scale and checkout."""
    rounds, seconds = (2, 0.3) if bench.quick else (7, 2.0)
    data = images("T91", data_root(bench.data_root), "sample/train").name
    checkouts = {"now": ROOT} if bench.before is None else {"before": bench.before, "now": ROOT}
    rows: list[dict[str, Any]] = []
    for scale in SCALES:
        found = _measure(bench, checkouts, scale, data, rounds, seconds)
        rows += found
        bench.record.put("train-deep", rows, n=rounds)
        bench.say(f"x{scale}: " + ", ".join(f"{row['arm']} {row['mpixels']:.2f} Mpixel/s" for row in found))
    heads = ["chain", "library", "Mpixel/s", "GFLOP/s", "share of peak, %", "times before"]
    table = [
        [f"x{row['scale']}", row["arm"], f"{row['mpixels']:.2f}", f"{row['gflops']:.0f}"]
        + [
            f"{row[name] * unit:.{digits}f} [{row[f'{name}_spread'][0] * unit:.{digits}f}.."
            f"{row[f'{name}_spread'][1] * unit:.{digits}f}]"
            for name, unit, digits in (("peak_share", 100, 0), ("ratio", 1, 2))
        ]
        for row in rows
    ]
    where = "one GPU" if bench.on_gpu else "one core, one thread, core-seconds"
    note = f"{where}; medians of {rounds} samples of {seconds:g} s, interleaved; [smallest..largest]; data {data}"
    bench.table("training of a seven-layer chain, target pixels a second", heads, table, [note])


def _measure(
    bench: Bench, checkouts: dict[str, Path], scale: int, data: str, rounds: int, seconds: float
) -> list[dict[str, Any]]:
    config = deep_config(scale, 1e6)
    per_pixel = step_flops(config) / (config.batch_size * config.output_size**2)
    rates: dict[str, list[float]] = {arm: [] for arm in checkouts}
    shares: dict[str, list[float]] = {arm: [] for arm in checkouts}
    with pinned(None if bench.on_gpu else bench.core), ExitStack() as stack:  # the processes inherit the core
        chains = {arm: stack.enter_context(_Chain(checkout, scale, bench, data)) for arm, checkout in checkouts.items()}
        for _ in range(rounds):
            for arm, chain in chains.items():
                peak = chain.ask(do="peak")["flops"]
                answer = chain.ask(do="run", seconds=seconds)
                rates[arm].append(answer["pixels"] / answer["seconds"])
                shares[arm].append(rates[arm][-1] * per_pixel / peak)
    first = rates[next(iter(rates))]
    rows = []
    for arm, values in rates.items():
        ratios = [now / before for now, before in zip(values, first, strict=True)]
        rate = statistics.median(values)
        rows.append(
            {
                "arm": arm,
                "scale": scale,
                "n": rounds,
                "mpixels": rate / 1e6,
                "gflops": rate * per_pixel / 1e9,
                "peak_share": statistics.median(shares[arm]),
                "peak_share_spread": [min(shares[arm]), max(shares[arm])],
                "ratio": statistics.median(ratios),
                "ratio_spread": [min(ratios), max(ratios)],
                "flops_per_pixel": per_pixel,
                "data": data,
                "seconds_per_sample": seconds,
            }
        )
    return rows
