"""The tables of a search at one scale: what was confirmed, its seeds, and the leaderboard of the trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

from srcnn.leaks import footnote, marked
from srcnn.tuning.entries import field_of
from srcnn.tuning.report.confirmed import Confirmed, number
from srcnn.tuning.report.document import Cell, Table
from srcnn.tuning.report.gather import OUTCOMES, Child, SearchData
from srcnn.tuning.report.wording import pixels, provenance
from srcnn.tuning.statistics import bootstrap

__all__ = ["champions", "leaderboard", "ranked", "seeds"]

_PAPER = " (the paper's)"
_SHOWN = 20  # rows of a leaderboard on the page
_IN_THE_NAME = ("kernels", "filters", "scale")  # fields that a configuration's name says in full


def ranked(data: SearchData, scale: int) -> list[Child]:
    """Finished trials first, best first; a stopped one's gain is of a smaller budget."""

    def key(child: Child) -> tuple[int, float]:
        return OUTCOMES.index(child.outcome), -(child.objective if child.objective is not None else -math.inf)

    return sorted(data.of_stage("search", scale), key=key)


def champions(data: SearchData, scale: int, confirmed: Sequence[Confirmed]) -> Table:
    """The confirmed configurations of a scale, in dB, each with a link to its best seed."""
    rows = []
    for place, one in enumerate(confirmed, start=1):
        name = f"{place}. {one.name}{_PAPER if one.reference else ''}"
        interval = "–" if one.low is None else f"{one.low:.3f} to {one.high:.3f}"
        cells = [f"{one.gains.mean():.3f}", interval, f"{one.gains.min():.3f} to {one.gains.max():.3f}"]
        for psnr in one.psnr.values():
            found = bootstrap(psnr.reshape(-1, 1))
            cells += [f"{found.mean:.2f}", f"{found.low:.2f} to {found.high:.2f}"]
        rows.append((Cell(name, one.link, place == 1), *(Cell(text, bold=place == 1) for text in cells)))
    head = ["configuration", "gain (dB)", "gain, 95 %", "gain of the seeds"]
    for name in data.test_sets:
        head += [f"{marked(name, data.leaks[1])} PSNR (dB)", f"{name}, 95 %"]
    count = len(confirmed[0].gains)
    caption = (
        f"Confirmed at x{scale}: means of {count} new seeds, ranked by the gain over bicubic on validation images. Intervals "
        "of the gain are over seeds and images, where the search kept them; those of the PSNR are over seeds. "
        f"Budget {pixels(_confirm_budget(data))}; commit {data.commit}. {footnote(data.leaks[1])}".rstrip()
    )
    return Table(f"champions-x{scale}", tuple(head), tuple(rows), caption)


def _confirm_budget(data: SearchData) -> float | None:
    given = number(data.params.get("confirm_budget"))
    return data.budget if math.isnan(given) else given


def seeds(data: SearchData, scale: int, confirmed: Sequence[Confirmed]) -> Table:
    """The same seed by seed, each with a link to its run."""
    rows = [
        (
            Cell(one.name, link),
            Cell(row.get("seed", "")),
            Cell(f"{gain:.3f}"),
            *(Cell(f"{psnr[i]:.2f}") for psnr in one.psnr.values()),
        )
        for one in confirmed
        for i, (row, link, gain) in enumerate(zip(one.rows, one.links, one.gains, strict=True))
    ]
    head = (
        "configuration",
        "seed",
        "gain (dB)",
        *(f"{marked(name, data.leaks[1])} PSNR (dB)" for name in data.test_sets),
    )
    return Table(
        f"seeds-x{scale}",
        head,
        tuple(rows),
        f"The confirmations at x{scale}, seed by seed. {footnote(data.leaks[1])}".rstrip(),
    )


def leaderboard(data: SearchData, scale: int) -> Table:
    """Every trial of a scale: gains in dB and as a share of the paper's, costs, training pixels in millions, seconds."""
    trials = ranked(data, scale)
    extra = [] if data.space is None else [n for n in data.space.parameters if field_of(n) not in _IN_THE_NAME]
    costs = [name for name in ("parameters", *data.objectives[1:]) if name != "gain"]
    costs = list(dict.fromkeys(costs))
    rows = []
    for child in trials:
        figures = [data.figure(child, name) for name in costs]
        title = f"{child.name}{_PAPER if child.reference else ''}"
        seen = child.curve[-1][0] / 1e6 if child.curve else None
        cells = [
            _show(child.gain, ".3f"),
            _show(child.objective, ".3f"),
            *(_value(child, name) for name in extra),
            *("–" if figure is None else f"{figure:.4g}" if figure < 100 else f"{figure:.0f}" for figure in figures),
            _show(seen, ".2f"),
            _show(child.metrics.get("train_seconds"), ".1f"),
            child.outcome,
        ]
        rows.append((Cell(title, data.link(child.run_id)), *map(Cell, cells)))
    heads = {"parameters": "parameters", "macs": "MACs a pixel", "latency": "latency (ms)"}
    head = ("configuration", "gain (dB)", "of the paper's", *extra, *(heads[name] for name in costs))
    head = (*head, "pixels (M)", "training (s)", "outcome")
    more = f"The first {_SHOWN} of {len(rows)}; the CSV file has all. " if len(rows) > _SHOWN else ""
    caption = (
        f"Trials of the search at x{scale}, one seed each, by their best gain over bicubic on validation images; finished "
        f"ones first, since a stopped one's gain is of a smaller budget. {more}{provenance(data, trials)}"
    )
    return Table(f"leaderboard-x{scale}", head, tuple(rows), caption, shown=_SHOWN)


def _show(value: float | None, form: str) -> str:
    return "–" if value is None or not math.isfinite(value) else format(value, form)


def _value(child: Child, name: str) -> str:
    value = child.values.get(name)
    if name not in child.values:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
