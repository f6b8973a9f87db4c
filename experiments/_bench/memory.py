"""Section ``memory``: resident memory of the processes of a search, with one slot and with two.

The values come from ``/proc/PID/smaps_rollup`` of the command and all its descendants, four times per second. PSS
(proportional set size) divides a shared page among the processes that map it, so that a sum counts it once. USS (unique
set size) counts only pages that no other process maps, which would be freed if the process ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from srcnn.data.known_sets import data_root
from srcnn.errors import ConfigError
from srcnn.tuning.adapters.ray_titles import IDLE_TITLE, TRIAL_TITLE, task_title

from _bench.machine import ROOT, child_environment, images
from _bench.record import Bench

__all__ = ["kind_of", "read_memory", "run_memory"]

_EVERY = 0.25  # seconds


def read_memory(pid: int) -> tuple[int, int] | None:
    """Return (PSS, USS) of a process in bytes; None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return None
    fields = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in text.splitlines()[1:]}
    if "Pss" not in fields:
        return None
    return fields["Pss"], fields["Private_Clean"] + fields["Private_Dirty"]


def kind_of(pid: int, driver: int) -> str:
    """Return ``driver``, ``trial`` (worker with a trial), ``idle`` (worker without one), or ``ray`` (processes of Ray)."""
    if pid == driver:
        return "driver"
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "ray"
    if title.startswith(TRIAL_TITLE):
        return "trial"
    return "idle" if title.startswith((IDLE_TITLE, task_title("_test"))) else "ray"


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = defaultdict(list)
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            children[int(stat.rpartition(")")[2].split()[1])].append(int(entry))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def _watch(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Return the peak values until the command ends, in MB."""
    peaks: dict[str, float] = defaultdict(float)
    workers: dict[int, dict[str, float]] = {}
    samples = 0
    while process.poll() is None:
        sums: dict[str, float] = defaultdict(float)
        for pid in _descendants(process.pid):
            memory = read_memory(pid)
            if memory is None:
                continue
            pss, uss = (value / 1e6 for value in memory)
            kind = kind_of(pid, process.pid)
            sums[kind] += pss
            sums["total"] += pss
            if kind == "trial":
                worker = workers.setdefault(pid, {"pss": 0.0, "uss": 0.0})
                worker["pss"], worker["uss"] = max(worker["pss"], pss), max(worker["uss"], uss)
        for kind, value in sums.items():
            peaks[kind] = max(peaks[kind], value)
        samples += 1
        time.sleep(_EVERY)
    largest = sorted(workers.values(), key=lambda worker: -worker["uss"])
    return {"peak_pss_mb": dict(peaks), "workers": largest, "samples": samples}


def _measure(bench: Bench, folder: Path, slots: int, train: str, test: str) -> dict[str, Any]:
    name = f"memory{slots}"
    command = [sys.executable, str(ROOT / "experiments" / "search.py"), "--name", name, "--no-report"]
    command += ["--trials", "4" if bench.quick else "8", "--budget", "500k" if bench.quick else "3M"]
    command += ["--train", train, "--test", test, "--max-concurrent", str(slots), "--gpus-per-trial", "0"]
    command += ["--space", str(ROOT / "search_spaces" / "default.yaml"), "--storage", str(folder / "ray")]
    command += ["--tracking-uri", f"sqlite:///{folder}/{name}.db"]
    command += ["--data-root", bench.data_root] if bench.data_root else []
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=child_environment(), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            found = _watch(process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        raise RuntimeError((folder / f"{name}.log").read_text(encoding="utf-8", errors="replace"))
    return {"slots": slots, **found}


def run_memory(bench: Bench) -> None:
    """Measure and print."""
    if read_memory(os.getpid()) is None:
        raise ConfigError("memory: needs Linux, whose /proc/PID/smaps_rollup it reads")
    root = data_root(bench.data_root)
    train = images("BSDS300/train", root, "sample/train").name
    test = images("Set5", root, "sample/test").name
    with tempfile.TemporaryDirectory(prefix="srcnn-bench-") as name:
        searches = [_measure(bench, Path(name), slots, train, test) for slots in (1, 2)]
    one, two = (search["peak_pss_mb"] for search in searches)
    result = {
        "data": train,
        "measure": "peak PSS of all processes; USS for what a worker alone holds",
        "searches": searches,
        "second_trial_adds_mb": two["trial"] - one["trial"],
        "second_slot_adds_to_total_mb": two["total"] - one["total"],
        "workers_alone_hold_mb": [worker["uss"] for worker in searches[1]["workers"]],
        "total_mb": two["total"],
    }
    bench.record.put("memory", result)
    rows = []
    for title, key in (
        ("driver", "driver"),
        ("workers with a trial", "trial"),
        ("workers without one", "idle"),
        ("Ray's own processes", "ray"),
        ("all together", "total"),
    ):
        rows.append([title, *(f"{peaks.get(key, 0.0):.0f}" for peaks in (one, two))])
    for i in range(2):
        cells = [
            f"{ordered[i]['pss']:.0f} / {ordered[i]['uss']:.0f}" if i < len(ordered) else ""
            for ordered in (search["workers"] for search in searches)
        ]
        rows.append([f"trial worker {i + 1}: PSS / USS", *cells])
    rows.append(["the second adds to all trial workers' PSS", "", f"{result['second_trial_adds_mb']:.0f}"])
    notes = [
        f"peaks in MB (10^6), PSS unless said; a search over {train}, every scale of the default space, on this machine",
        f"peaks of different rows may fall at different times; every {_EVERY:g} s a look, {searches[1]['samples']} looks",
    ]
    bench.table("memory of a search", ["", "one slot", "two slots"], rows, notes)
