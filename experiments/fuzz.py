"""Fuzz the readers of files that strangers may have made: coverage-guided mutations of valid files, by atheris (libFuzzer).

    pip install -e '.[fuzz]'
    python experiments/fuzz.py all --seconds 300 --json fuzz.json
    python experiments/fuzz.py space network --seconds 60

A reader may accept a file or refuse it with an error of `srcnn.errors`, in one line. Anything else is a finding: another
exception, a message of several lines, more than ten seconds, more than a gigabyte. Each kind of finding is kept once, with the
input that led to it, in --findings. The exit code is 1 if there is one. Every target runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from srcnn.commands.command_line import Parser, run
from srcnn.errors import ConfigError
from srcnn.system.atomic_file import atomic_write

from _bench.provenance import header

_TARGETS = (
    "network",
    "state",
    "official",
    "space",
    "enqueue",
    "table",
    "curves",
    "past",
    "image",
    "photo",
    "archive",
    "journal",
)
_MEMORY = 1500  # MiB, of the whole process with its libraries and atheris's tables
_LONGEST = 10  # seconds for one input


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("targets", nargs="+", choices=(*_TARGETS, "all"), help="kind of file")
    parser.add_argument("--seconds", type=int, default=60, help="wall time for each target (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="random seed (default: 1)")
    parser.add_argument(
        "--findings", type=Path, default=Path("build/fuzz"), help="folder of findings (default: build/fuzz)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for executions and findings")
    return parser


def _fuzz(target: str, seconds: int, seed: int, findings: Path) -> dict[str, Any]:
    """Fuzz one target in a process of its own; return its counts."""
    place = findings / target
    place.mkdir(parents=True, exist_ok=True)
    counts = place / "counts.json"
    counts.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="srcnn-fuzz-") as scratch:
        command = [sys.executable, "-m", "_faults.fuzz_target", target, scratch, str(place)]
        options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-rss_limit_mb={_MEMORY}", f"-timeout={_LONGEST}"]
        options += [f"-artifact_prefix={place}/", "-max_len=65536", "-verbosity=0", "-print_final_stats=0"]
        beside = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": beside, "OMP_NUM_THREADS": "1"}
        ended = subprocess.run([*command, *options], env=environment, capture_output=True, text=True)
    found: dict[str, Any] = {"executions": 0, "findings": {}}
    if counts.exists():
        found = json.loads(counts.read_text(encoding="utf-8"))
    if ended.returncode:
        last = [line for line in ended.stderr.splitlines() if "ERROR" in line or "Error" in line]
        found["findings"][f"ended with code {ended.returncode}"] = (last or ["no message"])[0][:300]
    return found


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    if options.seconds < 1:
        raise ConfigError(f"--seconds: must be at least 1, but got {options.seconds}")
    given = sys.argv[1:] if argv is None else argv
    results: dict[str, Any] = {"provenance": header("fuzz.py", given, 1, options.seed), "targets": {}}
    for target in _TARGETS if "all" in options.targets else dict.fromkeys(options.targets):
        found = _fuzz(target, options.seconds, options.seed, options.findings.resolve())
        results["targets"][target] = {"seconds": options.seconds, **found}
        print(f"{target}: {found['executions']} executions, {len(found['findings'])} findings", flush=True)
        for kind, text in found["findings"].items():
            print(f"  {kind}: {text}", flush=True)
        if options.json:
            with atomic_write(options.json) as file:
                file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 1 if any(one["findings"] for one in results["targets"].values()) else 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted")


if __name__ == "__main__":
    sys.exit(main())
