"""Measure the project on this machine.

    python experiments/bench.py train --json train.json
    python experiments/bench.py quality --quick
    python experiments/bench.py all --json experiments/results/bench.json

train: target pixels a second against a plain loop, and the share of the matrix-product peak; at most five minutes.
quality: core-seconds to a PSNR on Set5 at x3 after T91, against the plain loop; the spread over seeds; bf16 against fp32.
platform: what a search costs beyond its trials. inference: reconstruction and resizing. memory: of a search's processes.
scale: what the driver of a search of up to 2,000 trivial trials spends on each.
intervals: how often 95 % intervals hold the truth, and how often a title goes to a network that is no better; a simulation.
overlap: images of one photograph: seconds to compare the sets, and how many of 200 invented overlaps are found.

Every section prints a table and puts its figures into the file of --json, beside those of other sections. A quality
section that was stopped goes on when it is given the same file. Where T91, Set5 or BSDS300 are not on disk, the bundled
sample takes their place, and the result says so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from srcnn.config.architecture import ModelConfig
from srcnn.errors import ConfigError, unknown_name
from srcnn.system.device import pick_device
from srcnn.tuning import configure

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
from _bench.train import run_train
from _command import Parser, run

_SECTIONS: Mapping[str, Callable[[Bench], None]] = {
    "train": run_train,
    "quality": run_quality,
    "platform": run_platform,
    "inference": run_inference,
    "memory": run_memory,
    "scale": run_scale,
    "intervals": run_intervals,
    "overlap": run_overlap,
}
_KERNELS = "9-1-5,9-3-5,9-5-5,11-1-7"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("section", metavar="SECTION", help=f"one of {', '.join(_SECTIONS)}, all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go (default: nowhere)")
    parser.add_argument("--data-root", metavar="DIR", help="where named sets lie (default: $SRCNN_DATA, else ./data)")
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter samples; quality without the plain loop"
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or cuda:N, for train and quality (default: auto)"
    )
    parser.add_argument("--kernels", default=_KERNELS, metavar="LIST", help=f"of three layers (default: {_KERNELS})")
    parser.add_argument(
        "--seeds", type=int, default=5, metavar="K", help="runs of each network, in quality (default: 5)"
    )
    return parser


def _kernels(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(","))
    for kernels in chosen:
        ModelConfig(kernels=kernels)
    return chosen


def _all(options: argparse.Namespace) -> int:
    """Every section in a process of its own: none inherits what another told the allocator, oneDNN or Ray."""
    flags = ["--device", options.device, "--kernels", options.kernels, "--seeds", str(options.seeds)]
    flags += ["--json", str(options.json)] if options.json else []
    flags += ["--data-root", options.data_root] if options.data_root else []
    flags += ["--quick"] if options.quick else []
    codes = [
        subprocess.run([sys.executable, __file__, section, *flags], env=child_environment()).returncode
        for section in _SECTIONS
    ]
    return max(codes)


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    if options.section not in (*_SECTIONS, "all"):
        raise ConfigError(unknown_name("section", options.section, [*_SECTIONS, "all"]))
    if options.seeds < 1:
        raise ConfigError(f"--seeds: must be at least 1, but got {options.seeds}")
    kernels, device = _kernels(options.kernels), str(pick_device(options.device))
    if options.section == "all":
        return _all(options)
    # Sections that repeat say how often; the seed is the default of training and of searches.
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
    """Run the command; the exit code."""
    return run(lambda: _main(argv), "interrupted; what was measured is in the file of --json")


if __name__ == "__main__":
    sys.exit(main())
