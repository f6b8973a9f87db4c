"""Write the report of a search, or of a table of the paper, from MLflow: Markdown, one HTML page, PNG, CSV and LaTeX.

    python experiments/report.py
    python experiments/report.py NAME --out folder
    python experiments/report.py filter_size-cpu depth-cpu --out folder
    python experiments/report.py NAME --tracking-uri http://server:5000 --no-log

The command reads only the tracking store, so it works on every machine with access to it, and also during a search. It
logs the folder as artifact folder report of the run, where MLflow shows report.html. Several names give a page for each
and a front page, index.html, with the verdict on every claim; they are not logged.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from srcnn.commands.command_line import Parser, run
from srcnn.commands.flag_values import path, text
from srcnn.config.quantities import counted
from srcnn.errors import ConfigError
from srcnn.system.folders import check_folder
from srcnn.tuning import configure
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.report.build import build, log_report
from srcnn.tuning.report.data.search_data import find_parent
from srcnn.tuning.report.document.pages import page_names, write_pages
from srcnn.tuning.report.document.write import write
from srcnn.tuning.report.sections.front_page import front_page
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.tracker import ui_command

__all__ = ["main"]

_FOLDER = Path("mlruns/reports")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", type=text, metavar="NAME", help="search or run of a table (default: the newest)"
    )
    parser.add_argument("--out", type=path, metavar="FOLDER", help=f"folder for the files (default: {_FOLDER}/NAME)")
    uri = SearchSettings.model_fields["tracking_uri"].default
    parser.add_argument("--tracking-uri", type=text, default=uri, metavar="URI", help=f"MLflow store (default: {uri})")
    parser.add_argument(
        "--ui",
        metavar="URL",
        help="address of the MLflow UI, for links to the runs of a local store (default: no links)",
    )
    parser.add_argument("--no-log", action="store_true", help="do not log the report to the run in MLflow")
    return parser


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    uri, ui = options.tracking_uri, options.ui
    if ui is not None and not ui.startswith(("http://", "https://")):
        raise ConfigError(f"--ui: must begin with http:// or https://, but got {ui}")
    parents = [find_parent(uri, name) for name in dict.fromkeys(options.names) or [None]]
    named = [parent.data.tags.get(names.TAG_SEARCH) or parent.info.run_id for parent in parents]
    folder = options.out or _FOLDER / "+".join(named)
    check_folder(folder, "--out")
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if len(parents) > 1:
        documents = [build(uri, parent, ui or "") for parent in parents]
        pages = dict(zip(page_names(named), documents, strict=True))
        files = write_pages(pages, partial(front_page, pages), folder)
        console.print(f"reports of {', '.join(named)}: {files[1]}, {_others(files)}")
        return 0
    files = write(build(uri, parents[0], ui or ""), folder)
    console.print(f"report of {named[0]}: {files[1]}, {_others(files)}")
    if not options.no_log:
        log_report(uri, parents[0], folder, files)
        console.print(f"logged to its run: {ui_command(uri)}")
    return 0


def _others(files: Sequence[Path]) -> str:
    return f"and {counted(len(files) - 1, 'other file')} in its folder"


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted")
