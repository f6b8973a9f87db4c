"""Section ``time-budget``: searches with ten minutes each, by this project's search and by random search with ASHA, in turn.

Every search is ``experiments/search.py --trials 200 --time-budget 10m`` at x3, in a process and a folder of its own, as a person
runs it. Its time is that of the whole command, from its start to its end. The winner, which is chosen on validation images, and
the paper's network are trained again with new seeds inside the same time; their figures on the test set and on judging images
are those of the search's verdict. Without T91 and Set5 the bundled sample is used.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from srcnn.data.known_sets import data_root, locate
from srcnn.errors import SRCNNError

from _bench.machine import ROOT, child_environment
from _bench.record import Bench

__all__ = ["METHODS", "run_time_budget", "settings_of", "spread"]

METHODS: Mapping[str, Sequence[str]] = {
    "ours": ("--sampler", "curves", "--scheduler", "freeze-thaw"),
    "random+asha": ("--sampler", "random", "--scheduler", "asha"),
}
_SECONDS, _QUICK_SECONDS = 600, 60
_TRIALS = 200
_FIRST_SEED = 31


def settings_of(train: str, test: str, method: str, seed: int, seconds: int, *, quick: bool = False) -> list[str]:
    """Return the flags of a search."""
    flags = ["--name", f"{method.replace('+', '-')}-{seed}", "--scale", "3", "--train", train, "--test", test]
    flags += ["--trials", str(_TRIALS), "--time-budget", f"{seconds}s", "--seed", str(seed), *METHODS[method]]
    return [*flags, *(["--budget", "60k"] if quick else [])]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return n, mean, least and greatest of some values, and the standard deviation if there are two or more."""
    deviation = statistics.stdev(values) if len(values) > 1 else math.nan
    found = {"n": len(values), "mean": statistics.fmean(values), "min": min(values), "max": max(values)}
    return found if math.isnan(deviation) else {**found, "deviation": deviation}


def run_time_budget(bench: Bench) -> None:
    """Measure and print. Searches that are in the file do not run again."""
    root = data_root(bench.data_root)
    here = all(locate(name, root).is_dir() for name in ("T91", "Set5")) and not bench.quick
    train, test = ("T91", "Set5") if here else ("sample/train", "sample/test")
    seconds = _QUICK_SECONDS if bench.quick else _SECONDS
    about = {"seconds": seconds, "trials": _TRIALS, "train": train, "test": test, "scale": 3}
    before = bench.record.get("time-budget")
    same = isinstance(before, dict) and all(before.get(name) == value for name, value in about.items())
    result: dict[str, Any] = before if same else {**about, "searches": {}}
    seeds = [_FIRST_SEED + i for i in range(1 if bench.quick else bench.seeds)]
    for place, seed in enumerate(seeds):
        # The order alternates, so that no method always has the quieter half of an hour.
        for method in list(METHODS)[:: -1 if place % 2 else 1]:
            name = f"{method} seed {seed}"
            if name in result["searches"]:
                continue
            flags = settings_of(train, test, method, seed, seconds, quick=bench.quick)
            found = _search(bench, flags, test)
            result["searches"][name] = {"method": method, "seed": seed, "flags": flags, **found}
            _keep(bench, result)
            bench.say(f"{name}: {found['used_seconds']:.0f} s, {_line(found)}")
    _show(bench, result)


def _search(bench: Bench, flags: Sequence[str], test: str) -> dict[str, Any]:
    """Run one search in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="srcnn-bench-") as folder:
        # Both are relative to the working directory.
        paths = ["--data-root", str(data_root(bench.data_root).resolve())]
        paths += ["--space", str(ROOT / "search_spaces" / "default.yaml")]
        load, start = os.getloadavg()[0], time.perf_counter()
        command = [sys.executable, str(ROOT / "experiments" / "search.py"), "--no-report", *flags, *paths]
        ended = subprocess.run(command, cwd=folder, env=child_environment(), capture_output=True, text=True)
        used = time.perf_counter() - start
        if ended.returncode:
            raise SRCNNError(f"search.py {' '.join(flags)}: {(ended.stderr or ended.stdout).strip()[-300:]}")
        return {"used_seconds": used, "load_before": load, **_verdict(f"sqlite:///{folder}/mlruns/mlflow.db", test)}


def _verdict(store: str, test: str) -> dict[str, Any]:
    """Return what a search wrote to its store about its trials and its winner."""
    from srcnn.tuning.tracking import names
    from srcnn.tuning.tracking.reader import artifact_text, children_of, open_store, parent_runs
    from srcnn.tuning.trials.verdict import read_verdicts

    client = open_store(store)
    parent = parent_runs(client)[0]
    trials = [run for run in children_of(client, parent) if run.data.tags.get(names.TAG_STAGE) == "search"]
    (verdict,) = read_verdicts(artifact_text(client, parent, names.ARTIFACT_VERDICTS)) or (None,)
    outcomes = [run.data.tags.get(names.TAG_OUTCOME, "") for run in trials]
    found: dict[str, Any] = {
        "trials": len(trials),
        "outcomes": {one: outcomes.count(one) for one in sorted(set(outcomes))},
        "architectures": len(
            {
                tuple(run.data.params.get(name, "") for name in (names.PARAM_KERNELS, names.PARAM_FILTERS))
                for run in trials
            }
        ),
    }
    if verdict is None:
        return found
    winner = verdict.ranked[0]
    return {
        **found,
        "configuration": winner.configuration,
        "confirmed": [one.configuration for one in verdict.ranked],
        "psnr": [seed.psnr[test] for seed in winner.counted if test in seed.psnr],
        "gain": None if winner.gain is None else winner.gain.to_json(),
        "leads": [lead.to_json() for lead in verdict.leads],
    }


def _line(found: Mapping[str, Any]) -> str:
    if "psnr" not in found:
        return f"{found['trials']} trials, no confirmation"
    return f"{found['trials']} trials, {found['configuration']}, {statistics.fmean(found['psnr']):.2f} dB"


def _keep(bench: Bench, result: dict[str, Any]) -> None:
    figures = {}
    for method in METHODS:
        those = [one for one in result["searches"].values() if one["method"] == method]
        confirmed = [one for one in those if "psnr" in one]
        figures[method] = {
            "used_seconds": spread([one["used_seconds"] for one in those]) if those else {"n": 0},
            "psnr_db": spread([statistics.fmean(one["psnr"]) for one in confirmed]) if confirmed else {"n": 0},
        }
    result["figures"] = figures
    seeds = sorted({one["seed"] for one in result["searches"].values()})
    bench.record.put("time-budget", result, n=f"{len(seeds)} searches for each method", seed=seeds)


def _show(bench: Bench, result: Mapping[str, Any]) -> None:
    rows = [
        [name, f"{one['used_seconds']:.0f}", one["trials"], one.get("configuration", "-"), *_cells(one)]
        for name, one in result["searches"].items()
    ]
    title = f"{result['train']} at x{result['scale']}, {result['seconds']} s for each search"
    heads = ["search", "s used", "trials", "winner", f"{result['test']} dB", "lead over the paper's network, dB"]
    bench.table(title, heads, rows, ["lead: on judging images, with its 95 % interval over seeds and images"])


def _cells(one: Mapping[str, Any]) -> list[str]:
    if "psnr" not in one:
        return ["-", "-"]
    lead = next((lead["interval"] for lead in one["leads"] if lead["images"] is None), None)
    shown = "-" if lead is None else f"{lead['mean']:+.3f} [{lead['low']:+.3f}, {lead['high']:+.3f}]"
    return [f"{statistics.fmean(one['psnr']):.2f}", shown]
