"""Train every configuration of a grid and record the learning curves for experiments/replay.py.

    python experiments/record.py
    python experiments/record.py --space my.yaml --train photos --budget 1M --seeds 1 --out my.csv.gz

The same command resumes after an interruption. It uses one core and trains one run at a time. Validation images are held out
from the training set as in a search; no test image is read.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from srcnn.commands.main import end_without_platform

if __name__ == "__main__":  # what is imported below needs the platform
    end_without_platform("record")

from srcnn.commands.command_line import Parser, run
from srcnn.config.quantities import counted, parse_pixels
from srcnn.data.datasets import load
from srcnn.data.known_sets import data_root
from srcnn.errors import ConfigError
from srcnn.tuning import configure
from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.curves.record_curves import Recording, record
from srcnn.tuning.space.space_file import load_space

from _bench.provenance import header

_OUT = Path("experiments/results/grid-x3.csv.gz")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--space", type=Path, default=Path("search_spaces/replay.yaml"), help="grid, a YAML file")
    parser.add_argument("--train", default="T91", help="training images: name of a set or a folder (default: T91)")
    parser.add_argument("--validation", type=int, default=9, help="number of held-out validation images (default: 9)")
    parser.add_argument("--split-seed", type=int, default=123, help="random seed of this split (default: 123)")
    parser.add_argument("--budget", default="2M", help="training pixels per run (default: 2M)")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds per configuration (default: 3)")
    parser.add_argument("--out", type=Path, default=_OUT, help=f"file of the table, .csv or .csv.gz (default: {_OUT})")
    parser.add_argument(
        "--data-root", metavar="DIR", help="folder of the named sets (default: $SRCNN_DATA, else ./data)"
    )
    return parser


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    if options.seeds < 1:
        raise ConfigError(f"--seeds: must be at least 1, but got {options.seeds}")
    if options.out.exists():
        raise ConfigError(f"--out: must be a new file, but {options.out} exists")
    recording = Recording(
        space=load_space(options.space),
        images=load(options.train, data_root(options.data_root)),
        validation=options.validation,
        split_seed=options.split_seed,
        budget=parse_pixels(options.budget, "--budget"),
        epochs=EPOCHS,
        seeds=tuple(range(1, options.seeds + 1)),
    )
    about = header("record.py", sys.argv[1:] if argv is None else argv, options.seeds, list(recording.seeds))
    started = time.monotonic()

    def say(number: int, count: int, name: str, objective: float) -> None:
        print(
            f"{time.monotonic() - started:6.0f} s  {number}/{count}  {name}: {objective:.3f} of the paper's gain",
            flush=True,
        )

    table = record(recording, options.out, say, about)
    print(
        f"{options.out}: {counted(len(table.params), 'configuration')}, {counted(options.seeds, 'seed')} each, "
        f"{table.seconds:.0f} core-seconds; best {table.quality.max():.3f} dB over bicubic"
    )
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted; the same command continues")


if __name__ == "__main__":
    sys.exit(main())
