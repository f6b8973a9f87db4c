"""Break a job at every point at which it writes, do it again, and compare it with the job that nothing disturbed.

    python experiments/faults.py small                     # without Ray: every point, every kind of fault
    python experiments/faults.py search --json faults.json # a whole search through Ray, points by name
    python experiments/faults.py all --slice 1/20

At each point the process is killed (before the call, or after half of what it writes), or the call fails with an
input/output error, or the disk is full from there on. Then the same command goes on without a fault, and all that it leaves must
be equal. The exit code is 1 if it is not. Points are found by a first run that only records them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from srcnn.commands.command_line import Parser, run
from srcnn.errors import ConfigError
from srcnn.system.atomic_file import atomic_write
from srcnn.tuning import configure

from _bench.provenance import header
from _faults.cases import Job, run_job
from _faults.points import FAULTS
from _faults.small_jobs import fetch_job, mirror, train_job, upscale_job, worker_job

_SMALL = ("upscale", "fetch", "train", "worker", "loop", "promotion", "repair")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("jobs", nargs="+", choices=(*_SMALL, "small", "search", "all"), help="what is broken")
    parser.add_argument("--slice", default="1/1", metavar="K/N", help="every N-th case, from the K-th (default: 1/1)")
    parser.add_argument("--faults", default=",".join(FAULTS), help=f"kinds of faults (default: {','.join(FAULTS)})")
    parser.add_argument(
        "--some", action="store_true", help="the first, the second and the last point of each name alone"
    )
    parser.add_argument("--points", default="", metavar="REGEX", help="points whose names match alone, such as ^store")
    parser.add_argument("--folder", type=Path, help="folder for the jobs, kept (default: a temporary one)")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="file for the counts; cases kept beside it are not run again",
    )
    return parser


@contextmanager
def _job(name: str, scratch: Path) -> Iterator[Job]:
    if name == "fetch":
        with mirror() as address:
            yield fetch_job(scratch, address)
        return
    if name == "search":
        from _faults.whole_search import whole_search_job

        with whole_search_job() as job:
            yield job
        return
    if name in ("loop", "promotion", "repair"):
        from _faults.store_jobs import loop_job, promotion_job, repair_job

        yield {"loop": loop_job, "promotion": promotion_job, "repair": repair_job}[name]()
        return
    yield {"upscale": upscale_job, "train": train_job, "worker": worker_job}[name]()


def _part(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"--slice: must be K/N with 1 <= K <= N, such as 1/20, but got {text!r}")
    return int(match[1]), int(match[2])


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    part, faults = _part(options.slice), options.faults.split(",")
    if wrong := [kind for kind in faults if kind not in FAULTS]:
        raise ConfigError(f"--faults: must be any of {','.join(FAULTS)}, but got {wrong[0]!r}")
    configure()
    torch.set_num_threads(1)
    names = list(
        dict.fromkeys(
            job for given in options.jobs for job in {"small": _SMALL, "all": (*_SMALL, "search")}.get(given, (given,))
        )
    )
    if "search" in names:
        from _faults.whole_search import need_token

        need_token()
    results: dict[str, Any] = {
        "provenance": header("faults.py", sys.argv[1:] if argv is None else argv, 1, 0),
        "jobs": {},
    }
    if options.json and options.json.exists():
        results["jobs"] = json.loads(options.json.read_text(encoding="utf-8"))["jobs"]
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="srcnn-faults-")))
        folder = folder.resolve()
        done = folder / "cases.jsonl" if options.json is None else options.json.with_suffix(".cases.jsonl").resolve()
        for name in names:
            (folder / name).mkdir(parents=True, exist_ok=True)
            with _job(name, folder / name) as job:
                given = {"every": not options.some, "faults": faults, "part": part, "only": options.points}
                tally = run_job(job, folder / name, done, **given)
            results["jobs"][name] = tally.to_json()
            print(f"{name}: {json.dumps({**tally.to_json(), 'problems': len(tally.problems)})}", flush=True)
            if options.json:
                with atomic_write(options.json) as file:
                    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 1 if any(job["problems"] for job in results["jobs"].values()) else 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted")


if __name__ == "__main__":
    sys.exit(main())
