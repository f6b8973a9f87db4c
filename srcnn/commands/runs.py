"""List searches, verify that Ray Tune, Optuna, MLflow and the checkpoints on disk agree, repair MLflow, explain a trial.

    python experiments/runs.py list
    python experiments/runs.py verify NAME
    python experiments/runs.py repair NAME
    python experiments/runs.py --why TRIAL

verify changes nothing; its exit code is 1 if there is an inconsistency. repair changes only MLflow, to agree with
Tune's state. --why says in one paragraph why a trial was started, paused, resumed or stopped, from what the search
believed at those moments.
"""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import datetime
from pathlib import Path

from rich.console import Console

from srcnn.commands.command_line import Parser, run
from srcnn.commands.flag_values import text
from srcnn.config.quantities import counted
from srcnn.system.folder_lock import refuse_if_locked
from srcnn.tuning import configure
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.report.data.search_data import parents
from srcnn.tuning.report.sections.why import why
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import reading
from srcnn.tuning.whole_search.consistency import Books, open_books, repair, verify

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("command", nargs="?", choices=("list", "verify", "repair"))
    parser.add_argument(
        "name",
        nargs="?",
        type=text,
        metavar="NAME",
        help="name of a search or of the run of a table (default: the newest)",
    )
    parser.add_argument(
        "--why",
        type=text,
        metavar="TRIAL",
        help="explain a trial: its id, the beginning of it, or the id of its run in MLflow",
    )
    parser.add_argument(
        "--trust-saved-state",
        action="store_true",
        help="verify and repair: read a saved state that another user or machine may have written; reading it can run code",
    )
    for field in ("tracking_uri", "storage"):
        known = SearchSettings.model_fields[field]
        flag = "--" + field.replace("_", "-")
        parser.add_argument(
            flag, type=text, default=known.default, help=f"{known.description} (default: {known.default})"
        )
    return parser


def _list(console: Console, uri: str) -> int:
    """Print a line a run. Other commands need the name, so it is never cut; the id gives way in a narrow terminal."""
    rows = [("name", "kind", "status", "started", "MLflow run")]
    for parent in parents(uri):
        tags, info = parent.data.tags, parent.info
        started = datetime.fromtimestamp(info.start_time / 1000).strftime("%Y-%m-%d %H:%M") if info.start_time else ""
        kind = tags.get(names.TAG_KIND, names.KIND_SEARCH)
        rows.append((tags.get(names.TAG_SEARCH, ""), kind, info.status, started, info.run_id))
    if len(rows) == 1:
        console.print(f"no runs in {uri}", markup=False, highlight=False, soft_wrap=True)
        return 0
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = len(widths)
    if console.is_terminal:
        while shown > 1 and sum(widths[:shown]) + 2 * (shown - 1) > console.width:
            shown -= 1
    for row in rows:
        line = "  ".join(text.ljust(width) for text, width in zip(row[:shown], widths, strict=False))
        console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)
    return 0


def _say(console: Console, books: Books) -> int:
    problems = verify(books)
    for problem in problems:
        where = f"{problem.trial}: " if problem.trial else ""
        mend = " (repair mends it)" if problem.mendable else ""
        console.print(f"{problem.kind}: {where}{problem.text}{mend}", markup=False, highlight=False, soft_wrap=True)
    ended = Counter(trial.status for trial in books.trials)
    stores = "Tune, Optuna, MLflow and the disk" if books.optuna is not None else "Tune, MLflow and the disk"
    counts = ", ".join(f"{count} {status}" for status, count in ended.items())
    verdict = counted(len(problems), "problem") if problems else "all agree"
    console.print(
        f"{books.name}: {counted(len(books.trials), 'trial')} ({counts}) in {stores}: {verdict}", highlight=False
    )
    return 1 if problems else 0


def _main(argv: list[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    if (options.command is None) == (options.why is None):
        given = "neither" if options.why is None else "both"
        parser.error(f"command: must be list, verify or repair, or --why TRIAL instead, but got {given}")
    configure()
    console, uri = Console(), options.tracking_uri
    if options.why is not None:
        console.print(why(uri, options.why), markup=False, highlight=False)
        return 0
    if options.command == "list":
        return _list(console, uri)
    storage = Path(options.storage)
    name = options.name or next((parent.data.tags.get(names.TAG_SEARCH, "") for parent in parents(uri)), "")
    trust = options.trust_saved_state
    books = open_books(name, storage, uri, trust=trust)
    with reading(uri):  # the store is asked for each trial, and repaired, with the books open
        if options.command == "repair":
            refuse_if_locked(storage.expanduser().resolve() / name, f"name: the search {name}")
            for line in repair(books, verify(books)):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            books = open_books(name, storage, uri, trust=trust)
        return _say(console, books)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted")
