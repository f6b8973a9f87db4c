"""Check what works on this machine, with advice for failures.

    python experiments/doctor.py
    python experiments/doctor.py --gpu
    python experiments/doctor.py --gpu --json doctor.json

Without --gpu: versions, the training step, and the placement of trials by Ray, in about a minute. --gpu also checks the GPU:
driver, bf16, recorded steps, memory caps, two trials on one GPU, a search with one GPU per trial, determinism and speed, in
about five minutes. The exit code is 1 if a check fails. Without a GPU the checks that need one are skipped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from srcnn.commands.command_line import Parser, run
from srcnn.errors import ConfigError
from srcnn.system.atomic_file import atomic_write
from srcnn.system.gpu import gpu_name
from srcnn.tuning import configure
from srcnn.tuning.doctor.examination import Finding, examine

_STYLES = {"ok": "green", "failed": "bold red", "skipped": "dim"}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--gpu", action="store_true", help="also check the GPU")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the results (default: none)")
    return parser


def _show(console: Console, findings: list[Finding]) -> None:
    table = Table(title="checks of this machine", title_justify="left")
    for head in ("check", "", "seen", "what to do"):
        table.add_column(head, overflow="fold")
    for one in findings:
        outcome = f"[{_STYLES[one.outcome]}]{one.outcome}[/]"
        table.add_row(one.name, outcome, escape(one.text), escape(one.advice))
    console.print(table)


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    gpu = gpu_name() if options.gpu else None
    findings = []
    with console.status("") as status:
        for finding in examine(gpu=options.gpu, begin=lambda check: status.update(check.name)):
            findings.append(finding)
    _show(console, findings)
    if options.gpu and gpu is None:
        console.print("this machine has no GPU: the checks that need one were skipped")
    counts = Counter(one.outcome for one in findings)
    failed = counts["failed"]
    if options.json is not None:
        try:
            with atomic_write(options.json) as file:
                text = json.dumps({"gpu": gpu, "failed": failed, "checks": [asdict(one) for one in findings]}, indent=2)
                file.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--json: {options.json} cannot be written ({error.strerror})") from None
        console.print(f"findings: {options.json}", markup=False, soft_wrap=True)
    console.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if failed else 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted")


if __name__ == "__main__":
    sys.exit(main())
