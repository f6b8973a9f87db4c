"""List, download, verify and compare the data sets.

    python experiments/data.py list
    python experiments/data.py fetch T91 Set5 Set14        # or: fetch all; weights are the authors' released networks
    python experiments/data.py verify
    python experiments/data.py overlap T91 BSDS300/train Set5 Set14     # which images show the same photograph

The sets are in folders below --data-root, else $SRCNN_DATA, else ./data.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from srcnn.commands.command_line import Parser, run
from srcnn.commands.flag_values import text
from srcnn.config.quantities import counted
from srcnn.data import fetch
from srcnn.data.datasets import load
from srcnn.data.known_sets import SETS, data_root
from srcnn.overlap.pairs import duplicates, overlaps

__all__ = ["check", "compare", "get", "main", "show"]


def _status(name: str, root: Path) -> str:
    """Return ``absent``, ``verified``, or the first problem."""
    if not _bundled(name) and not fetch.place(name, root).exists():
        return "absent"
    wrong = fetch.problems(name, root)
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return wrong[0] + more if wrong else "verified"


def _bundled(name: str) -> bool:
    return name in SETS and bool(SETS[name].bundled)


def _everything() -> list[str]:
    return [*SETS, "weights"]


def _line(name: str, state: str) -> str:
    return f"{name}: {state.removeprefix(f'{name}: ')}"


def _print(console: Console, line: str) -> None:
    """Print a line without markup or wrapping, because it contains file names."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def show(root: Path, console: Console) -> int:
    """Print a table of all sets and their state."""
    table = Table(
        title=escape(f"data root: {root}"), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False
    )
    table.add_column("name", no_wrap=True)
    table.add_column("files", justify="right", no_wrap=True)
    # In a narrow terminal only the long ones are broken: the names of weights, their folder, and the file of a download.
    for title in ("where", "state", "source"):
        table.add_column(title, overflow="fold", no_wrap=title == "state", min_width=6)
    wrong = []
    for name in _everything():
        state = _status(name, root)
        if state not in ("absent", "verified"):
            wrong.append(_line(name, state))
            state = "wrong"
        count = SETS[name].count if name in SETS else len(fetch.WEIGHTS)
        source = SETS[name].source if name in SETS else "SRCNN_v1.zip"
        where = "installed" if _bundled(name) else str(fetch.place(name, root).relative_to(root))
        table.add_row(name, str(count), where, state, source)
    console.print(table)
    for line in wrong:
        _print(console, line)
    return 0


def get(names: list[str], root: Path, mirror: str | None, console: Console) -> int:
    """Download sets one by one, and print a line for each."""
    chosen = fetch.names() if "all" in names else names
    for name in chosen:
        fetch.check_name(name)
    for name in chosen:
        with _progress(name, console) as progress:
            line = fetch.fetch(name, root, base_url=mirror, progress=progress)
        _print(console, line)
    return 0


def check(names: list[str], root: Path, console: Console) -> int:
    """Verify sets and print a line for each. Return 1 if there is a problem. A missing set is a problem only if it was named."""
    for name in names:
        fetch.check_name(name)
    failed = False
    for name in names or _everything():
        state = _status(name, root)
        failed |= state != "verified" and (state != "absent" or bool(names))
        _print(console, _line(name, state))
    return int(failed)


def compare(names: list[str], root: Path, console: Console) -> int:
    """List the pairs of images that show the same photograph, within a set and between sets."""
    sets = [load(name, root) for name in names]
    count = 0
    for i, one in enumerate(sets):
        found = [(one.name, pair) for pair in duplicates(one)]
        found += [(other.name, pair) for other in sets[i + 1 :] for pair in overlaps(one, other)]
        for other_name, pair in found:
            _print(console, f"{one.name}: {pair.first} = {other_name}: {pair.second}, {pair}")
        count += len(found)
    images = sum(map(len, sets))
    pairs = "1 pair shows" if count == 1 else f"{count} pairs show" if count else "no two show"
    _print(
        console,
        f"{counted(images, 'image')}, {counted(images * (images - 1) // 2, 'pair')}: {pairs} the same photograph",
    )
    return 0


@contextmanager
def _progress(name: str, console: Console) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function that shows the progress: a bar in a terminal, otherwise a line for every tenth of the download."""
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(name, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    said = -1

    def say(done: int, total: int | None) -> None:
        nonlocal said
        step = 10 * done // total if total else done // 10**7
        if step != said:
            said = step
            share = f"{step * 10} % of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
            _print(console, f"{name}: {share}")

    yield say


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    shared = Parser(add_help=False)
    shared.add_argument(
        "--data-root", type=text, metavar="DIR", help="folder of the sets (default: $SRCNN_DATA, else ./data)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | fetch | verify | overlap")
    commands.add_parser("list", parents=[shared], help="list all sets and whether they are on disk")
    getter = commands.add_parser("fetch", parents=[shared], help="download, unpack and verify")
    getter.add_argument(
        "names", nargs="+", type=text, metavar="NAME", help=f"all, or any of {', '.join(fetch.names())}"
    )
    getter.add_argument(
        "--mirror", type=text, metavar="URL", help="location of the same archives (default: $SRCNN_MIRROR)"
    )
    checker = commands.add_parser(
        "verify", parents=[shared], help="compare with the registry; exit code 1 if there is a problem"
    )
    checker.add_argument("names", nargs="*", type=text, metavar="NAME", help="names of the sets (default: all on disk)")
    comparer = commands.add_parser("overlap", parents=[shared], help="list images that show the same photograph")
    comparer.add_argument(
        "names", nargs="+", type=text, metavar="SET", help="name of a set or a folder; several are compared"
    )
    return parser


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    console = Console()
    root = data_root(options.data_root)
    if options.command == "list":
        return show(root, console)
    if options.command == "fetch":
        return get(options.names, root, options.mirror, console)
    if options.command == "overlap":
        return compare(options.names, root, console)
    return check(options.names, root, console)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted; the downloaded data is kept, run the command again to continue")
