"""Report of a table: the paper's figures and ours, verdicts on the paper's claims, and plots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mlflow.entities import Run
from numpy.typing import NDArray

from srcnn.config.quantities import counted
from srcnn.overlap.leaks import MARK, Leak, footnote, lines
from srcnn.tuning.report.data.table_data import BICUBIC, TableData, figure_name, gather_table, paper_name
from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Cell, Document, Figure, Section, Table, Text
from srcnn.tuning.report.sections.table_claims import claims_parts
from srcnn.tuning.report.table_figures.crops import crops_figure
from srcnn.tuning.report.table_figures.filters import filters_figure
from srcnn.tuning.report.table_figures.plots import budget_figure, convergence_figure, cost_figure
from srcnn.tuning.tracking import names
from srcnn.tuning.trials.intervals import over_seeds
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["build_table", "result_tables", "table_document"]

Part = Text | Table | Figure


def build_table(uri: str, parent: Run, ui: str) -> Document:
    """The report of a table's run. Arguments as `srcnn.tuning.report.build.build`."""
    return table_document(gather_table(uri, parent, ui))


def table_document(data: TableData) -> Document:
    """Create the report. It can also be created for an incomplete table, and states so."""
    table = data.table
    sections = [
        Section("Result", _result(data)),
        Section("Claims", claims_parts(data)),
        Section("Image by image", _images(data)),
        Section("Pictures", _pictures(data)),
        Section("How it was made", _setting(data)),
        Section("Runs", (_runs(data),)),
    ]
    kept = tuple(Section(s.title, s.parts) for s in sections if s.parts)
    subtitle = f"{table.question} {data.provenance([one for one in data.trained if one.outcome == 'finished'])}"
    return Document(f"{table.title} ({data.name})", subtitle, kept)


def _mark(data: TableData, row: str, metric: str) -> str:
    """The mark of a figure of a row that was trained on what the metric measures; empty if it was not."""
    return f" {MARK}" if _shown(data.kept(row), metric) else ""


def _shown(kept: Sequence[Leak], metric: str) -> list[Leak]:
    """Return the leaks that concern a metric: the mean of a set, or one of its images."""
    figure = names.SetFigure.parse(metric)
    of = [leak for leak in kept if leak.of == figure.images or leak.kind == "validation"]
    return [leak for leak in of if not figure.image or leak.shows == figure.image]


def _note(data: TableData, metric: str) -> str:
    """Return the explanation of the mark, if a table has it."""
    found = [leak for row in data.table.rows for leak in _shown(data.kept(row.name), metric)]
    return f" {footnote(list(dict.fromkeys(found)))}" if found else ""


_INFINITE = 1e300  # MLflow's stores keep an infinite figure, the PSNR of equal planes, as the largest float


def _db(value: float | None) -> str:
    if value is None:
        return ""
    return "∞" if value > _INFINITE else f"{value:.2f}"


def result_tables(data: TableData) -> list[Table]:
    """Return the paper's figures beside ours: a table for every shown metric, or one table of all if there is one row."""
    if len(data.table.rows) == len(data.recipes) == 1:
        return [_single_row(data)]
    return [_metric_table(data, metric, f"{data.name}-{number}") for number, metric in enumerate(data.shown, start=1)]


def _result(data: TableData) -> tuple[Part, ...]:
    parts: list[Part] = []
    unfinished = [one for one in data.trained if one.outcome not in (Outcome.FINISHED, Outcome.FAILED)]
    unmeasured = [one for one in data.trained if one.outcome is Outcome.FINISHED and not one.metrics]
    if data.status != "FINISHED" or unfinished or unmeasured:
        total = len(data.trained)
        left = [f"{_open_runs(len(unfinished), total)} not ended"] if unfinished else []
        left += [f"{_open_runs(len(unmeasured), total)} not been measured on the test images"] if unmeasured else []
        words = ", ".join(left) or "its command has not ended"
        parts.append(Text(f"**The table is not complete: {words}.**"))
    parts += result_tables(data)
    failed = [one for one in data.trained if one.outcome is Outcome.FAILED]
    if failed:
        said = "\n".join(f"- {escape.markdown(f'{one.name}: {one.failure[:200]}')}" for one in failed[:8])
        parts.append(Text(f"{counted(len(failed), 'run')} failed:\n\n{said}"))
    return tuple(parts)


def _open_runs(count: int, of: int) -> str:
    return f"{count} of {counted(of, 'run')} {'has' if count == 1 else 'have'}"


def _mean(figures: NDArray[np.float64] | None) -> tuple[float | None, str]:
    """(seeds, images) -> the mean, and the same in words with Student's interval over seeds."""
    if figures is None:
        return None, ""
    found = over_seeds(figures)
    return found.mean, found.text(".2f") if found.bounded else _db(found.mean)


def _gap(mean: float | None, known: float | None) -> str:
    return "" if mean is None or known is None else f"{mean - known:+.2f}"


def _single_row(data: TableData) -> Table:
    """A table of one row, turned: a line for each figure."""
    row, recipe = data.table.rows[0], data.recipes[0]
    found = []
    for metric in data.shown:
        scale = names.SetFigure.parse(metric).scale
        mean, ours = _mean(data.figures(row.name, recipe, metric))
        known = data.printed(row.name, metric)
        plain, theirs = (data.given.get((name, scale), {}).get(metric) for name in (BICUBIC, row.name))
        figures = [Cell(_db(value)) for value in (plain, known, theirs)]
        runs = str(len(data.of(row.name, recipe, metric)))
        ours += _mark(data, row.name, metric)
        found.append((Cell(figure_name(metric)), *figures, Cell(ours, bold=True), Cell(_gap(mean, known)), Cell(runs)))
    head = (row.name, "bicubic", "paper", "authors' weights", "ours [95 %]", "ours - paper", "seeds")
    caption = (
        f"In dB, after {data.amount(data.longest)}; the interval is Student's, over seeds."
        f"{_source(data)}{_note(data, data.shown[0])}"
    )
    return Table(f"{data.name}-1", head, tuple(found), caption)


def _source(data: TableData) -> str:
    """Return where the paper's figures come from, if the table has some; the section about how it was made has every source."""
    if not any(row.paper for row in data.table.rows):
        return ""
    return f" Source of the paper's figures: {data.table.source.rstrip('.')}."


def _metric_table(data: TableData, metric: str, name: str) -> Table:
    scale = names.SetFigure.parse(metric).scale
    several = len(data.recipes) > 1
    official = any((row.name, scale) in data.given for row in data.table.rows)
    printed = any(data.printed(row.name, metric) is not None for row in data.table.rows)
    head = ["row", *["recipe"] * several, *["paper"] * printed, *["authors' weights"] * official]
    head += ["ours [95 %]", *["ours - paper"] * printed, "seeds"]
    rows: list[tuple[Cell, ...]] = []
    plain = data.given.get((BICUBIC, scale), {}).get(metric)
    if plain is not None:
        blank = [Cell("")] * (several + printed + official)
        rows.append((Cell("bicubic"), *blank, Cell(_db(plain)), *[Cell("")] * printed, Cell("")))
    for row in data.table.rows:
        for recipe in data.recipes or ["ours"]:
            if recipe not in data.table.trained_by(row):
                continue
            runs = data.of(row.name, recipe, metric)
            figures = data.figures(row.name, recipe, metric)
            known = data.printed(row.name, metric)
            theirs = data.given.get((row.name, scale), {}).get(metric)
            mean, ours = _mean(figures)
            gap = _gap(mean, known)
            cells = [Cell(row.name), *[Cell(recipe)] * several, *[Cell(_db(known))] * printed]
            cells += [Cell(_db(theirs))] * official
            ours += _mark(data, row.name, metric)
            cells += [Cell(ours, bold=mean is not None), *[Cell(gap)] * printed, Cell(str(len(runs)) if runs else "")]
            rows.append(tuple(cells))
    caption = (
        f"{figure_name(metric)} in dB, after {data.amount(data.longest)}; the interval is Student's, over seeds."
        f"{_source(data) if printed else ''}{_note(data, metric)}"
    )
    return Table(name, tuple(head), tuple(rows), caption, left=1 + several)


def _images(data: TableData) -> tuple[Part, ...]:
    """A table for every shown metric of a set that fits a page."""
    parts: list[Part] = []
    for metric in data.shown:
        scale = names.SetFigure.parse(metric).scale
        plain = data.given.get((BICUBIC, scale), {})
        images = sorted(name for name in plain if name.startswith(f"{metric}/"))
        if not images or len(images) > 14:
            continue
        recipe = (data.recipes or ["ours"])[0]
        rows_of = [row for row in data.table.rows if data.of(row.name, recipe, metric)]
        theirs = [row for row in rows_of if (row.name, scale) in data.given]
        single = len(rows_of) == 1 and any(row.paper.get(paper_name(images[0])) for row in rows_of)
        head = ["image", "bicubic", *["paper"] * (single and not data.budget.sample)]
        head += [f"authors' {row.name}" for row in theirs] + [f"ours, {row.name}" for row in rows_of]
        rows = []
        for image in images:
            cells = [Cell(paper_name(names.SetFigure.parse(image).image)), Cell(_db(plain[image]))]
            if single and not data.budget.sample:
                cells.append(Cell(_db(rows_of[0].paper.get(paper_name(image)))))
            cells += [Cell(_db(data.given[row.name, scale].get(image))) for row in theirs]
            for row in rows_of:
                runs = data.of(row.name, recipe, metric)
                mean = _db(sum(one.metrics[image] for one in runs) / len(runs))
                cells.append(Cell(mean + _mark(data, row.name, image)))
            rows.append(tuple(cells))
        name = f"{data.name}-images-{metric.replace('/', '-')}"
        by = f", recipe {recipe}" if len(data.recipes) > 1 else ""
        caption = f"{figure_name(metric)} in dB, means of the seeds after {data.amount(data.longest)}{by}.{_note(data, metric)}"
        parts.append(Table(name, tuple(head), tuple(rows), caption))
    return tuple(parts)


def _pictures(data: TableData) -> tuple[Part, ...]:
    found: list[Figure | None] = []
    for recipe in data.recipes:
        found += [convergence_figure(data, recipe, scale) for scale in data.table.scales]
    for metric in data.shown[:1] if len(data.table.scales) == 1 else data.shown[: len(data.table.scales)]:
        found += [budget_figure(data, metric)]
    found += [cost_figure(data, data.shown[0]), filters_figure(data), crops_figure(data)]
    return tuple(figure for figure in found if figure is not None)


def _setting(data: TableData) -> tuple[Part, ...]:
    tags, text = data.tags, escape.markdown
    versions = [f"{library} {version}" for library, version in names.versions(tags).items()]
    sets = sorted({data.table.trained_on(row, data.budget) for row in data.table.rows})
    link = escape.safe_link(data.link(data.run_id))
    items = {
        "Question": text(data.table.question),
        "Source": text(data.table.source),
        "Training sets": "the bundled photographs" if data.budget.sample else text(", ".join(sets)),
        "Validation images": text(tags.get(names.TAG_VALIDATION, "")) + " (they choose the epoch; none is trained on)",
        "Overlap": text("; ".join(lines(*data.leaks, flag="allow_overlap"))),
        "Budgets": text(", ".join(map(data.amount, data.budget.lengths))),
        "Recipes": text(", ".join(f"{n} (preset {r.preset})" for n, r in data.table.recipes.items())),
        "Machine": text(tags.get(names.TAG_DEVICE, "")),
        "Versions": text(", ".join(versions)),
        "Commit": escape.code(tags.get(names.TAG_COMMIT, "unknown")),
        "Run": "" if link is None else f"[{text(data.name)}](<{link}>)",
    }
    notes = [f"- {text(note)}" for note in data.table.notes]
    return (Text("\n".join([*(f"- **{name}:** {value}" for name, value in items.items() if value), *notes])),)


def _runs(data: TableData) -> Table:
    metric = data.shown[0]
    order = {row.name: place for place, row in enumerate(data.table.rows)}
    rows = [
        (
            Cell(one.name, data.link(one.run_id)),
            Cell(str(one.seed)),
            Cell(one.outcome),
            Cell(_db(next((one.metrics[m] for m in data.shown if m in one.metrics), None))),
            Cell(f"{one.seconds:.0f}"),
        )
        for one in sorted(data.trained, key=lambda o: (order.get(o.row, 99), o.recipe, o.scale, o.length, o.seed))
    ]
    head = ("run", "seed", "outcome", f"{names.SetFigure.parse(metric).images} (dB)", "seconds")
    return Table(f"{data.name}-runs", head, tuple(rows), "Every run; seconds are of training.", shown=60)
