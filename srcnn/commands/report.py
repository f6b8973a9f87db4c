"""Write the report of a search, or of a table of the paper, from MLflow: Markdown, one HTML page, PNG, CSV and LaTeX.

    python experiments/report.py
    python experiments/report.py NAME --out folder
    python experiments/report.py filter_size-cpu depth-cpu --out folder
    python experiments/report.py NAME --tracking-uri http://server:5000 --no-log

The command reads only the tracking store, so it works on every machine with access to it, and also during a search. It
logs the folder as artifact folder report of the run, where MLflow shows report.html. Several names give one report,
which is not logged.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from srcnn.commands.command_line import Parser, run
from srcnn.errors import ConfigError
from srcnn.tuning import configure
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.report.build import build, combine, log_report
from srcnn.tuning.report.data.search_data import UI, find_parent
from srcnn.tuning.report.document.write import write
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.tracker import ui_command

__all__ = ["main"]

_FOLDER = Path("mlruns/reports")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="search or run of a table (default: the newest)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=f"folder for the files (default: {_FOLDER}/NAME)")
    uri = SearchSettings.model_fields["tracking_uri"].default
    parser.add_argument("--tracking-uri", default=uri, metavar="URI", help=f"MLflow store (default: {uri})")
    parser.add_argument(
        "--ui", default=UI, metavar="URL", help=f"address of the MLflow UI for links to a local store (default: {UI})"
    )
    parser.add_argument("--no-log", action="store_true", help="do not log the report to the run in MLflow")
    return parser


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    if not options.ui.startswith(("http://", "https://")):
        raise ConfigError(f"--ui: must begin with http:// or https://, but got {options.ui}")
    parents = [find_parent(options.tracking_uri, name) for name in options.names or [None]]
    name = "+".join(parent.data.tags.get(names.TAG_SEARCH) or parent.info.run_id for parent in parents)
    folder = options.out or _FOLDER / name
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--out: must be a folder, but {folder} is a file")
    documents = [build(options.tracking_uri, parent, options.ui) for parent in parents]
    files = write(combine(documents), folder)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"report of {name}: {files[1]}, and {len(files) - 1} other files in its folder")
    if not options.no_log and len(parents) == 1:
        log_report(options.tracking_uri, parents[0], folder, files)
        console.print(f"logged to its run: {ui_command(options.tracking_uri)}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted")
