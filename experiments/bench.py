"""Measure the project on this machine.

    python experiments/bench.py train --json train.json
    python experiments/bench.py quality --quick
    python experiments/bench.py all --json experiments/results/bench.json

train: target pixels per second, compared with a plain training loop, and as a fraction of the matrix-product peak; at most
  five minutes.
train-deep: the same for a seven-layer chain at x2, x3 and x4; with --before DIR, the checkout of an earlier commit, for both
  libraries in turns.
quality: core-seconds to reach a PSNR on Set5 at x3, trained on T91, compared with the plain loop; variation over seeds; bf16
  compared with fp32.
platform: overhead of a search, without its trials. inference: reconstruction and resizing. memory: memory of the processes of
  a search.
scale: time of the driver per trial, in searches of up to 2,000 trivial trials.
intervals: coverage of 95 % intervals, and rate of false promotions; a simulation.
overlap: images of one photograph: time to compare the sets, and recall on 200 synthetic overlaps.
searches: this project's search, the sampler curves with asha, and random search with asha at the same core-seconds: lead of the
  winners over the paper's network; --budget and --seeds.
curve-models: models that predict the end of learning curves, compared on the tables for development.
decision-cost: time of the driver for one decision of a search, after 100, 500 and 2,000 trials.
time-budget: searches with ten minutes each on T91 at x3, by this project's search and by random search with asha; --seeds.
upscale: a photo of 24 megapixels at x2, one thread and two: seconds, memory, and small photos a second, against plain torch,
  ONNX Runtime and OpenCV.
tricks: gain of each training trick over the seven-layer chain at equal core-seconds, on held-out images; --seconds, --seeds,
  --scales, --jobs, --rows.
search-record: the trainings, costs and winners of a search that has ended, from mlruns/mlflow.db; --search NAME.
small-photos: a folder of 200 photos of 320x240 at x2 through experiments/upscale.py, one core and two, against ONNX Runtime.

Every section prints a table and writes its results to the file of --json, which keeps the results of other sections.
Interrupted sections quality, searches, time-budget and tricks resume with the same file. If T91, Set5 or BSDS300 are not on
disk, the bundled sample is used instead, and the results name it.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from srcnn.commands.main import end_without_platform

if __name__ == "__main__":  # what is imported below needs the platform
    end_without_platform("bench")

from rich.console import Console

from srcnn.commands.command_line import Parser, run
from srcnn.config.architecture import ModelConfig
from srcnn.config.quantities import parse_pixels
from srcnn.errors import ConfigError, unknown_name
from srcnn.system.device import pick_device
from srcnn.tuning import configure

from _bench.curve_models import run_curve_models
from _bench.decision_cost import run_decision_cost
from _bench.deep_chain import run_train_deep
from _bench.inference import run_inference
from _bench.intervals import run_intervals
from _bench.machine import child_environment, environment, quiet_core
from _bench.memory import run_memory
from _bench.overlap import run_overlap
from _bench.provenance import header
from _bench.quality import run_quality
from _bench.record import Bench, Record
from _bench.scale import run_scale
from _bench.search_cost import run_platform
from _bench.search_record import run_search_record
from _bench.searches import run_searches
from _bench.small_photos import run_small_photos
from _bench.time_budget import run_time_budget
from _bench.train import run_train
from _bench.tricks import chosen_rows, run_tricks
from _bench.upscale import run_upscale

_SECTIONS: Mapping[str, Callable[[Bench], None]] = {
    "train": run_train,
    "train-deep": run_train_deep,
    "quality": run_quality,
    "platform": run_platform,
    "inference": run_inference,
    "memory": run_memory,
    "scale": run_scale,
    "intervals": run_intervals,
    "overlap": run_overlap,
    "searches": run_searches,
    "curve-models": run_curve_models,
    "decision-cost": run_decision_cost,
    "time-budget": run_time_budget,
    "upscale": run_upscale,
    "small-photos": run_small_photos,
    "tricks": run_tricks,
    "search-record": run_search_record,
}
_NAMED = ("search-record",)  # sections that need a flag of their own: not of all
_KERNELS = "9-1-5,9-3-5,9-5-5,11-1-7"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("section", metavar="SECTION", help=f"one of {', '.join(_SECTIONS)}, all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the results (default: none)")
    parser.add_argument(
        "--data-root", metavar="DIR", help="folder of the named sets (default: $SRCNN_DATA, else ./data)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter samples; quality without the plain loop"
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or cuda:N, for train and quality (default: auto)"
    )
    parser.add_argument(
        "--kernels",
        default=_KERNELS,
        metavar="LIST",
        help=f"kernels of networks with three layers (default: {_KERNELS})",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=5,
        metavar="K",
        help="seeds per network in quality, per set and scale in searches, per method in time-budget, per row in tricks "
        "(default: 5)",
    )
    parser.add_argument(
        "--budget",
        default="2M",
        metavar="PIXELS",
        help="training pixels of a full trial in searches: 8M, 500k (default: 2M)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=120.0,
        metavar="S",
        help="core-seconds of a training in tricks (default: 120)",
    )
    parser.add_argument("--scales", default="2,3,4", metavar="LIST", help="scales of tricks (default: 2,3,4)")
    parser.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="trainings at a time in tricks, 1 or 2 (default: 2)"
    )
    parser.add_argument("--search", metavar="NAME", help="the search of search-record")
    parser.add_argument("--rows", metavar="NAMES", help="rows of tricks, joined by ';' (default: all)")
    parser.add_argument(
        "--before", type=Path, metavar="DIR", help="checkout of an earlier commit to compare with in train-deep"
    )
    return parser


def _kernels(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(","))
    for kernels in chosen:
        ModelConfig(kernels=kernels)
    return chosen


def _scales(text: str) -> tuple[int, ...]:
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for scale in chosen:
        if scale not in ("2", "3", "4"):
            raise ConfigError(f"--scales: must be 2, 3 or 4, joined by commas, but got {text}")
    return tuple(map(int, chosen))


def _all(options: argparse.Namespace) -> int:
    """Run every section in a separate process, so that settings of the allocator, oneDNN or Ray have no effect on the others."""
    flags = ["--device", options.device, "--kernels", options.kernels]
    flags += ["--seeds", str(options.seeds), "--budget", options.budget]
    flags += ["--seconds", f"{options.seconds:g}", "--scales", options.scales, "--jobs", str(options.jobs)]
    flags += ["--json", str(options.json)] if options.json else []
    flags += ["--rows", options.rows] if options.rows else []
    flags += ["--data-root", options.data_root] if options.data_root else []
    flags += ["--quick"] if options.quick else []
    flags += ["--before", str(options.before)] if options.before else []
    codes = [
        subprocess.run([sys.executable, __file__, section, *flags], env=child_environment()).returncode
        for section in _SECTIONS
        if section not in _NAMED
    ]
    return max(codes)


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    if options.section not in (*_SECTIONS, "all"):
        raise ConfigError(unknown_name("section", options.section, [*_SECTIONS, "all"]))
    if options.seeds < 1:
        raise ConfigError(f"--seeds: must be at least 1, but got {options.seeds}")
    if not 0 < options.seconds < math.inf:
        raise ConfigError(f"--seconds: must be above 0, but got {options.seconds:g}")
    if options.jobs not in (1, 2):
        raise ConfigError(f"--jobs: must be 1 or 2, but got {options.jobs}")
    scales = _scales(options.scales)
    chosen_rows(options.rows)
    if options.before is not None and not (options.before / "srcnn").is_dir():
        raise ConfigError(f"--before: must be a checkout with a folder srcnn, but got {options.before}")
    kernels, device = _kernels(options.kernels), str(pick_device(options.device))
    budget = parse_pixels(options.budget, "--budget")
    if options.section == "all":
        return _all(options)
    # Sections with repetitions report their number; the seed is the default of training and searches.
    about = header("bench.py", sys.argv[1:] if argv is None else argv, n=1, seed=123, device=device)
    record = Record(options.json, environment(device), about)
    bench = Bench(
        console=Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False),
        record=record,
        device=device,
        core=quiet_core(),
        data_root=options.data_root,
        quick=options.quick,
        kernels=kernels,
        seeds=options.seeds,
        budget=budget,
        seconds=options.seconds,
        jobs=options.jobs,
        scales=scales,
        rows=options.rows,
        search=options.search,
        before=options.before,
    )
    where = record.environment
    bench.console.print(
        f"{where['processor']}, {where['cores']} cores; {where['device']}; torch {where['versions']['torch']}; "
        f"commit {where['commit']}; load {where['load']}"
    )
    _SECTIONS[options.section](bench)
    if options.json is not None:
        bench.console.print(f"figures: {options.json}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted; what was measured is in the file of --json")


if __name__ == "__main__":
    sys.exit(main())
