"""Section ``scale``: time of the driver per trial and per report, against the number of trials.

Trials are trivial (a network of four filters, nine epochs of two steps), so that the driver determines the cost: its
CPU time, its memory, and the sizes of MLflow's database, of Tune's state and of the journal. CPU time is that of the
process with all threads, so other processes have little effect on it, in contrast to wall time.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srcnn.data.datasets import load
from srcnn.imaging.image_files import write_image

from _bench.machine import ROOT, child_environment
from _bench.record import Bench

if TYPE_CHECKING:
    from srcnn.tuning.driver.events import Event

__all__ = ["run_scale"]

_COUNTS = (100, 500, 2000)
_QUICK = (20, 60)
_SPACE = """\
parameters:
  learning_rate: {type: float, low: 2.0e-5, high: 8.0e-4, log: true}
constants: {kernels: 3-1-3, filters: 4-4, scale: 3, patch_size: 16, batch_size: 1}
"""


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(trials: int, folder: Path) -> dict[str, float]:
    """Run a search of trivial trials in this process. Measure from the first start to the last end of a trial."""
    from srcnn.tuning.adapters.ray_internals import TRIAL_STATES
    from srcnn.tuning.driver.snapshot import FOLDER
    from srcnn.tuning.planning.settings import SearchSettings
    from srcnn.tuning.whole_search.run import plan_search, run_search

    for kind, count in (("train", 3), ("test", 1)):
        for name, image in load(f"sample/{kind}").images[:count]:
            write_image(folder / kind / f"{name}.png", image[100:148, 100:148])
    (folder / "space.yaml").write_text(_SPACE, encoding="utf-8")
    fields: dict[str, Any] = {"space": str(folder / "space.yaml"), "train": str(folder / "train")}
    fields |= {"test": (str(folder / "test"),), "validation": 1, "budget": 2400, "sampler": "random", "confirm": False}
    fields |= {"storage": str(folder / "ray"), "tracking_uri": f"sqlite:///{folder}/mlflow.db", "scheduler": "none"}
    marks: list[tuple[float, float]] = []
    reports = 0

    def listen(event: Event) -> None:
        nonlocal reports
        reports += event.kind == "report"
        if event.kind == "end" or not marks:
            marks.append((time.perf_counter(), _processor_seconds()))

    run_search(plan_search(SearchSettings(name="scale", trials=trials, enqueue=(), **fields)), listener=listen)
    (first, used_first), (last, used_last) = marks[0], marks[-1]
    stage = folder / "ray" / "scale"
    states = sorted(stage.glob(f"{FOLDER}/*/{TRIAL_STATES}"))
    used, tail = used_last - used_first, marks[-max(2, trials // 10) :]
    return {
        "trials": trials,
        "reports": reports,
        "seconds_per_trial": (last - first) / trials,
        "driver_seconds_per_trial": used / trials,
        "driver_seconds_per_report": used / reports,
        "driver_seconds_per_trial_of_the_last_tenth": (tail[-1][1] - tail[0][1]) / (len(tail) - 1),
        "driver_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "database_mb": os.path.getsize(folder / "mlflow.db") / 1e6,
        "state_mb": states[-1].stat().st_size / 1e6,
        "journal_mb": (stage / "tracking.jsonl").stat().st_size / 1e6,
    }


def run_scale(bench: Bench) -> None:
    """Measure every number of trials in a separate process."""
    rows = []
    for trials in _QUICK if bench.quick else _COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "_bench.scale", str(trials), folder]
            done = subprocess.run(
                command, env=child_environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
            )
            rows.append(json.loads(done.stdout.splitlines()[-1]))
        bench.record.put("scale", rows)
        bench.console.print(", ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()))


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), Path(sys.argv[2]))))
