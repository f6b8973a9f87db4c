"""Show a search in a browser while it runs, or afterwards: a page of this machine that follows the search.

    python experiments/watch.py
    python experiments/watch.py NAME --open
    python experiments/watch.py NAME --storage folder --port 8000

The page shows what runs, the curves of all trials, the best of each scale, the expected time left, and the report so far. It only
reads the folder of the search, and answers only browsers on this machine. Ctrl-C ends the page, not the search.
"""

from __future__ import annotations

import argparse
import difflib
import webbrowser
from pathlib import Path

from rich.console import Console

from srcnn.commands.command_line import Parser, run
from srcnn.commands.flag_values import text, whole
from srcnn.errors import SearchError
from srcnn.system.folders import typed_path
from srcnn.tuning.driver.live_state import FILE
from srcnn.tuning.driver.optuna_mirror import FILE as DASHBOARD_FILE
from srcnn.tuning.driver.optuna_mirror import dashboard_command
from srcnn.tuning.planning.settings import SearchSettings, saved_searches
from srcnn.tuning.watch.server import WatchServer
from srcnn.tuning.watch.state import WatchedSearch
from srcnn.tuning.watch.words import ago

__all__ = ["find_folder", "main"]

_NAMED = 5  # names that an error lists


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "name", nargs="?", type=text, metavar="NAME", help="name of a search (default: that with the latest news)"
    )
    storage = SearchSettings.model_fields["storage"]
    parser.add_argument(
        "--storage",
        type=text,
        metavar="DIR",
        default=storage.default,
        help=f"{storage.description} (default: {storage.default})",
    )
    parser.add_argument(
        "--port", type=whole(0, 65535), default=0, metavar="N", help="port of the page (default: any free one)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser of this desktop")
    return parser


def find_folder(storage: str, name: str | None) -> Path:
    """Return the folder of a search.

    Args:
        storage: folder with a folder for each search.
        name: name of the search; None: that with the latest news.

    Raises:
        SearchError: there is no such search; the message lists the nearest names.
    """
    place = typed_path(storage, "storage").resolve()
    files = sorted(place.glob(f"*/{FILE}"), key=lambda file: -file.stat().st_mtime)
    # Searches that have only settings, because they have just begun or are of an earlier version, come last.
    known = list(dict.fromkeys([*(file.parent.name for file in files), *saved_searches(storage)]))
    if not known:
        raise SearchError(f"storage: there is no search in {storage}")
    if name is None:
        return place / known[0]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=_NAMED)
        words = "the nearest names are" if near else "the newest are"
        raise SearchError(f"name: no search {name!r} in {storage}; {words} {', '.join(near or known[:_NAMED])}")
    return place / name


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    folder = find_folder(options.storage, options.name)
    server, found = WatchServer(folder, options.port), WatchedSearch.read(folder)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"{folder.name}: {server.address}")
    news = "" if found.live is None else f"; last update {ago(found.health.age)}"
    console.print(f"{found.health.kind}: {found.health.text}{news}")
    if (folder / DASHBOARD_FILE).is_file():
        console.print(f"Optuna's dashboard (pip install optuna-dashboard): {dashboard_command(folder)}")
    console.print("Ctrl-C ends this page, not the search")
    if options.open:
        webbrowser.open(server.address)
    try:
        server.run()
    except KeyboardInterrupt:  # the way to end it, so that it is a success
        console.print("")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code; Ctrl-C while the page is served is 0."""
    return run(lambda: _main(argv), "interrupted")
