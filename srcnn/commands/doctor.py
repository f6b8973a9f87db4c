"""Check what works on this machine, with advice for failures; or explain a PSNR that another program gives.

    python experiments/doctor.py
    python experiments/doctor.py --gpu
    python experiments/doctor.py --gpu --json doctor.json
    python experiments/doctor.py --psnr 34.37 --set Set5 --scale 2
    python experiments/doctor.py --psnr 30.1 --set Set5 --scale 3 --images my/upscaled

Without --gpu: versions, environment, threads, data sets, disks, stores, the training step, and the placement of trials by
Ray, in about a minute. --gpu also checks the GPU: driver, bf16, recorded steps, memory caps, two trials on one GPU, a search
with one GPU per trial, determinism and speed, in about five minutes. The exit code is 1 if a check fails. Without a GPU the
checks that need one are skipped, and without Ray, Optuna and MLflow those of the search.

With --psnr: the set is measured by the papers' protocol and by the usual deviations from it (other resizing, RGB, no shaving,
and so on), and the one that gives the figure is named, or the pair. The exit code is 1 if none does.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from srcnn.commands.command_line import Parser, run
from srcnn.commands.flag_values import path, text
from srcnn.commands.psnr_table import FLAGS, add_flags, psnr_table
from srcnn.errors import ConfigError
from srcnn.system.folders import check_file
from srcnn.system.gpu import gpu_name
from srcnn.system.invocation import as_typed
from srcnn.system.json_file import write_json
from srcnn.tuning import configure
from srcnn.tuning.doctor.examination import Finding, examine

__all__ = ["main"]

_STYLES = {"ok": "green", "failed": "bold red", "skipped": "dim"}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--gpu", action="store_true", help="also check the GPU")
    parser.add_argument("--json", type=path, metavar="FILE", help="file for the results (default: none)")
    parser.add_argument(
        "--tracking-uri", type=text, metavar="URI", help="MLflow store to check (default: sqlite:///mlruns/mlflow.db)"
    )
    parser.add_argument(
        "--storage", type=text, metavar="DIR", help="folder of the searches to check (default: mlruns/ray)"
    )
    add_flags(parser)
    return parser


def _show(console: Console, findings: list[Finding]) -> None:
    table = Table(title="checks of this machine", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for head in ("check", "", "seen, and what to do"):
        table.add_column(head, overflow="fold")
    for one in findings:
        outcome = f"[{_STYLES[one.outcome]}]{one.outcome}[/]"
        advice = f"\n[bold]to do:[/] {escape(as_typed(one.advice))}" if one.advice else ""
        table.add_row(one.name, outcome, f"{escape(as_typed(one.text))}{advice}")
    console.print(table)


def _write(path: Path, result: dict[str, Any], console: Console) -> None:
    try:
        write_json(path, result)
    except OSError as error:
        raise ConfigError(f"--json: {path} cannot be written ({error.strerror})") from None
    console.print(f"findings: {path}", markup=False, soft_wrap=True)


def _check(options: argparse.Namespace, console: Console) -> tuple[int, dict[str, Any]]:
    """Run the checks and print them. Return the exit code and the results."""
    for name in FLAGS:
        if getattr(options, name) is not None:
            flag = name.replace("_", "-")
            raise ConfigError(f"--{flag}: must be given with --psnr only, the figure to explain")
    configure()
    gpu = gpu_name() if options.gpu else None
    given = {name: getattr(options, name) for name in ("tracking_uri", "storage") if getattr(options, name)}
    findings = []
    with console.status("") as status:
        for finding in examine(gpu=options.gpu, begin=lambda check: status.update(check.name), options=given):
            findings.append(finding)
    _show(console, findings)
    if options.gpu and gpu is None:
        console.print("this machine has no GPU: the checks that need one were skipped")
    counts = Counter(one.outcome for one in findings)
    console.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    failed = counts["failed"]
    return (1 if failed else 0), {"gpu": gpu, "failed": failed, "checks": [asdict(one) for one in findings]}


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    if options.json is not None:
        check_file(options.json, "--json")
    code, result = (_check if options.psnr is None else psnr_table)(options, console)
    if options.json is not None:
        _write(options.json, result, console)
    return code


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted")
