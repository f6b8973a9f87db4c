"""The tables of a search at one scale: what was confirmed, its seeds, and the leaderboard of the trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from srcnn.config.quantities import counted
from srcnn.overlap.leaks import footnote, marked
from srcnn.tuning.report.data.confirmed import Confirmed
from srcnn.tuning.report.data.search_data import Child, SearchData
from srcnn.tuning.report.document.document import Cell, Table
from srcnn.tuning.report.sections.wording import pixels, provenance
from srcnn.tuning.space.list_entries import field_of
from srcnn.tuning.tracking import names
from srcnn.tuning.trials.intervals import over_seeds
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["champions", "leaderboard", "ranked", "seeds"]

_PAPER = " (the paper's)"
_SHOWN = 20  # rows of a leaderboard on the page
_OPEN = 5  # rows of a leaderboard that is not folded
_IN_THE_NAME = ("kernels", "filters", "scale")  # fields that a configuration's name says in full


def ranked(data: SearchData, scale: int) -> list[Child]:
    """Finished trials first, best first; a stopped one's gain is of a smaller budget."""

    def key(child: Child) -> tuple[int, float]:
        return list(Outcome).index(child.outcome), -(child.objective if child.objective is not None else -math.inf)

    return sorted(data.of_stage("search", scale), key=key)


def champions(data: SearchData, scale: int, confirmed: Sequence[Confirmed]) -> Table:
    """The confirmed configurations of a scale, in dB, each with a link to its best seed."""
    rows = []
    for place, one in enumerate(confirmed, start=1):
        name = f"{place}. {one.name}{_PAPER if one.reference else ''}"
        known = one.judged and not np.isnan(one.gains).any()
        interval = f"{one.low:.3f} to {one.high:.3f}" if known else "–"
        cells = [f"{one.chose.mean():.3f}", f"{one.gains.mean():.3f}" if known else "–", interval]
        for psnr in one.psnr.values():
            found = over_seeds(psnr)
            bounds = f"{found.low:.2f} to {found.high:.2f}" if one.judged and found.bounded else "–"
            cells += [f"{found.mean:.2f}", bounds]
        rows.append((Cell(name, one.link, place == 1), *(Cell(text, bold=place == 1) for text in cells)))
    head = ["configuration", "validation gain (dB)", "gain (dB)", "gain, 95 %"]
    for name in data.test_sets:
        head += [f"{marked(name, data.leaks[1])} PSNR (dB)", f"{name}, 95 %"]
    caption = (
        f"Confirmed at x{scale}, ranked by the validation gain, a mean of {len(confirmed[0].chose)} new seeds. The gain is over "
        f"bicubic on judging images, of {len(confirmed[0].seeds)} further seeds: neither these images nor these seeds chose, so "
        "only these figures have intervals (of the gain over seeds and images, of the PSNR over seeds). "
        f"Budget {pixels(data.confirm_budget)}; commit {data.commit}. {footnote(data.leaks[1])}".rstrip()
    )
    return Table(f"champions-x{scale}", tuple(head), tuple(rows), caption)


def seeds(data: SearchData, scale: int, confirmed: Sequence[Confirmed]) -> Table:
    """The same seed by seed, each with a link to its run."""
    rows = []
    for one in confirmed:
        for (seed, judges), link in zip(one.all, one.links, strict=True):
            cells = [str(seed.seed), "judges" if judges else "chooses", _show(seed.gain, ".3f")]
            cells += [_show(seed.psnr.get(name), ".2f") for name in data.test_sets]
            rows.append((Cell(one.name, link), *map(Cell, cells)))
    head = (
        "configuration",
        "seed",
        "step",
        "gain (dB)",
        *(f"{marked(name, data.leaks[1])} PSNR (dB)" for name in data.test_sets),
    )
    caption = (
        f"The new seeds at x{scale}: gains on validation images of those that choose, on judging images of the others. "
        f"{footnote(data.leaks[1])}"
    ).rstrip()
    return Table(
        f"seeds-x{scale}", head, tuple(rows), caption, fold=f"x{scale}, seed by seed: {counted(len(rows), 'training')}"
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
            _show(child.metrics.get(names.METRIC_TRAIN_SECONDS), ".1f"),
            child.outcome,
        ]
        rows.append((Cell(title, data.link(child.run_id)), *map(Cell, cells)))
    heads = {"parameters": "parameters", "macs": "MACs a pixel", "latency": "latency (ms)"}
    head = ("configuration", "gain (dB)", "of the paper's", *extra, *(heads.get(name, name) for name in costs))
    head = (*head, "pixels (M)", "training (s)", "outcome")
    more = f"The first {_SHOWN} of {len(rows)}; the CSV file has all. " if len(rows) > _SHOWN else ""
    caption = (
        f"Trials of the search at x{scale}, one seed each, by their best gain over bicubic on validation images; finished "
        f"ones first, since a stopped one's gain is of a smaller budget. {more}{provenance(data, trials)}"
    )
    fold = f"x{scale}, all trials: {counted(len(rows), 'row')}" if len(rows) > _OPEN else ""
    return Table(f"leaderboard-x{scale}", head, tuple(rows), caption, shown=_SHOWN, fold=fold)


def _show(value: float | None, form: str) -> str:
    return "–" if value is None or not math.isfinite(value) else format(value, form)


def _value(child: Child, name: str) -> str:
    value = child.values.get(name)
    if name not in child.values:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
