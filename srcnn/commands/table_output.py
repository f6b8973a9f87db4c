"""What the command ablation prints about a table of the paper: before it, while it runs, and what it found.

Lines fit the width of a terminal; in a file a line is not broken.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from srcnn.config.quantities import counted
from srcnn.overlap.leaks import lines as leak_lines
from srcnn.tuning.driver.events import Event
from srcnn.tuning.paper.claims import HOLDS, HOLDS_NOT
from srcnn.tuning.paper.run_table import TableRun
from srcnn.tuning.paper.table import Table
from srcnn.tuning.paper.table_plan import TablePlan
from srcnn.tuning.report.data.table_data import TableData
from srcnn.tuning.report.document.document import Table as Figures
from srcnn.tuning.report.sections.table_claims import sentence
from srcnn.tuning.report.sections.table_report import result_tables
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["TableMonitor", "say", "say_end", "say_plan", "say_result", "say_tables"]

_STYLES = {HOLDS: "bold", HOLDS_NOT: "bold"}


def say(console: Console, text: str, indent: int = 0) -> None:
    """Print plain text; in a terminal it is broken between words, and all of it is indented."""
    if console.is_terminal:
        console.print(Padding(escape(text), (0, 0, 0, indent)), highlight=False)
    else:
        console.print(f"{' ' * indent}{text}", markup=False, highlight=False, soft_wrap=True)


def say_tables(console: Console, tables: Sequence[tuple[str, Table]]) -> None:
    """List tables by name, with their questions."""
    grid = Grid(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for head in ("table", "question", "rows", "source of the paper's figures"):
        grid.add_column(head, justify="right" if head == "rows" else "left", no_wrap=head == "table")
    for name, table in tables:
        grid.add_row(name, escape(table.question), str(len(table.rows)), escape(table.source))
    console.print(grid)


def say_plan(console: Console, plan: TablePlan) -> None:
    """Print what will be trained."""
    table, lengths = plan.table, plan.budget.lengths
    if plan.budget.unit == "pixels":
        amounts = f"{', '.join(f'{length / 1e6:g}' for length in lengths)} million pixels"
    else:
        amounts = f"{', '.join(f'{length:g}' for length in lengths)} epochs"
    seeds = counted(plan.settings.seeds or plan.budget.seeds, "seed")
    rows, scales = counted(len(table.rows), "row"), " ".join(f"x{scale}" for scale in table.scales)
    trained = plan.budget.recipes or table.recipes
    recipes = f"; recipes {', '.join(trained)}" if len(trained) > 1 else ""
    say(console, f"table {plan.name}: {table.question}")
    say(console, f"{counted(len(plan.cells), 'run')}: {rows} at {scales}, {amounts}, {seeds}{recipes}", indent=2)
    sets = ", ".join(sorted({table.trained_on(row, plan.budget) for row in table.rows}))
    say(console, f"trained on {sets}", indent=2)
    for line in (*leak_lines(*plan.leaks, flag="allow_overlap"), *(f"warning: {text}" for text in plan.warnings)):
        say(console, line, indent=2)


class TableMonitor:
    """A line for every run that has ended, and a progress bar in a terminal."""

    def __init__(self, console: Console) -> None:
        self._console, self._ended, self._started = console, 0, time.monotonic()
        columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self.bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self.bar.add_task("starting Ray", total=None)

    def __call__(self, event: Event) -> None:
        self.bar.update(self._task, completed=self._ended, total=event.trials, description=escape(event.name))
        if event.kind != "end":
            return
        self._ended += 1
        self.bar.update(self._task, completed=self._ended)
        text, figures = event.failure, None if event.report is None else event.report.figures
        if event.outcome != Outcome.FAILED and figures is not None:
            text = f"gain {figures.best_val_gain:+.2f} dB, {figures.train_seconds:.0f} s"
        before = f"{self._ended:{len(str(event.trials))}}/{event.trials} {time.monotonic() - self._started:5.0f} s  "
        after = f" {event.outcome:8} {text}"
        name = event.name
        if self._console.is_terminal:
            name = _cut(name, self._console.width - len(before) - min(len(after), 36))
        line = f"{before}{name}{after}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def measured(self, done: int, total: int) -> None:
        """Say that networks are measured on the test images: how many there are, then in the progress bar how many are done."""
        self.bar.update(self._task, completed=done, total=total, description="measured on the test images")
        if total and not done:
            text = (
                f"{time.monotonic() - self._started:5.0f} s  measuring {counted(total, 'network')} on the test images"
            )
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _cut(name: str, width: int) -> str:
    """Return a name in a column of a width between 12 and 48; of a long one the beginning and the end, which has the seed."""
    width = max(12, min(48, width))
    if len(name) <= width:
        return name.ljust(width)
    end = min(width // 2, 14)
    return f"{name[: width - end - 1]}…{name[-end:]}"


def say_end(console: Console, result: TableRun, go_on: str) -> None:
    """Print how many runs there are, what failed, and after an interruption the command that continues."""
    counts = [f"{result.trained} trained"]
    if result.kept:
        counts.append(f"{result.kept} finished before")
    if result.failed:
        counts.append(f"{len(result.failed)} failed")
    say(console, f"{result.name}: {', '.join(counts)}")
    for line in result.failed:
        say(console, f"failed: {line}", indent=2)
    if result.interrupted:
        say(console, "interrupted; what was trained is kept, and this command continues:")
        say(console, go_on, indent=2)


def say_result(console: Console, data: TableData) -> None:
    """Print our figures, beside the paper's if there are some, and the verdict on every claim in words."""
    for table in result_tables(data):
        console.print()
        say(console, table.caption)
        console.print(_grid(table))
    verdicts = data.verdicts()
    if verdicts:
        console.print("claims:", highlight=False)  # a table's claims need not be a paper's
    several = len(data.recipes) > 1
    for found in verdicts:
        recipe = f" ({found.recipe})" if several else ""
        style = _STYLES.get(found.verdict, "")
        text = f"{found.verdict}: {found.claim.text}{recipe}"
        if console.is_terminal:
            head, rest = f"{found.verdict}:", escape(text[len(found.verdict) + 1 :])
            console.print(
                Padding(f"[{style}]{head}[/]{rest}" if style else f"{head}{rest}", (0, 0, 0, 2)), highlight=False
            )
        else:
            say(console, text, indent=2)
        say(console, sentence(found), indent=6)


def _grid(table: Figures) -> Grid:
    """Return a table of a report for the terminal, without its empty columns."""
    shown = [place for place in range(len(table.head)) if any(row[place].text for row in table.rows)]
    grid = Grid(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for place in shown:
        grid.add_column(escape(table.head[place]), justify="left" if place < table.left else "right")
    for row in table.rows:
        grid.add_row(*(escape(row[place].text) for place in shown))
    return grid
