"""Report of a search: the result in words, pictures, confirmation, course, parameters, predictions, and how to run it again."""

from __future__ import annotations

from srcnn.tuning.report.data.confirmed import confirmed_at
from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.report.document.document import Cell, Document, Part, Section, Table, Text
from srcnn.tuning.report.figures.curves import curves_figure
from srcnn.tuning.report.figures.front import front_figure
from srcnn.tuning.report.sections.certainty import certainty
from srcnn.tuning.report.sections.comparisons import comparisons
from srcnn.tuning.report.sections.course import believed, course
from srcnn.tuning.report.sections.parameters import parameters
from srcnn.tuning.report.sections.reproduce import reproduce, setting
from srcnn.tuning.report.sections.search_tables import champions, leaderboard, seeds
from srcnn.tuning.report.sections.summary import NOT_KEPT, summary
from srcnn.tuning.report.sections.wording import provenance
from srcnn.tuning.trials.objective import OBJECTIVES
from srcnn.tuning.trials.pareto import front

__all__ = ["search_document"]


def search_document(data: SearchData) -> Document:
    """Create the report. It can also be created for a search that is running, failed or was interrupted, and states so.

    Args:
        data: result of `srcnn.tuning.report.data.search_data.gather`.
    """
    trials = data.of_stage("search")
    sections = [
        Section("In short", summary(data)),
        Section("Before and after", comparisons(data)),
        Section("How sure each choice is", certainty(data)),
        *(Section(f"Scale x{scale}", _of_scale(data, scale)) for scale in data.scales),
        Section("What the search did", course(data)),
        Section("Parameters", parameters(data) if trials else ()),
        Section("Pareto front", _front(data) if len(data.objectives) > 1 else ()),
        Section("What it believed and what came", believed(data)),
        Section("What was searched", setting(data)),
        Section("How to run it again", reproduce(data)),
    ]
    subtitle = f"A hyperparameter search of SRCNN networks: {provenance(data, trials)}"
    return Document(f"Search {data.name}", subtitle, tuple(section for section in sections if section.parts))


def _of_scale(data: SearchData, scale: int) -> tuple[Part, ...]:
    parts: list[Part] = []
    confirmed = confirmed_at(data, scale)
    if confirmed:
        parts.append(champions(data, scale, confirmed))
    elif data.of_stage("confirm", scale):
        ended = "Confirmations ran, but the search ended before it chose by them."
        parts.append(Text(NOT_KEPT if data.confirmation_lost else ended))
    trials = data.of_stage("search", scale)
    if trials:
        figure = curves_figure(trials, f"curves-x{scale}", f"Learning curves at x{scale}. {provenance(data, trials)}")
        parts.append(figure if figure is not None else Text("No trial has reported a figure, so there are no curves."))
        parts.append(leaderboard(data, scale))
    if confirmed:
        parts.append(seeds(data, scale, confirmed))
    return tuple(parts)


def _front(data: SearchData) -> tuple[Part, ...]:
    objectives, trials = data.objectives, data.of_stage("search")
    rows = [row for child in trials if (row := data.result(child)) is not None]
    kept = front(rows, objectives)
    if not kept:
        return (Text("No finished trial has a figure of every objective, so there is no front."),)
    others = [name for name in objectives if name != "gain"]
    table = Table(
        "front",
        ("configuration", "scale", "gain (dB)", *(OBJECTIVES[name].title for name in others)),
        tuple(
            (
                Cell(row.name, data.link(row.trial_id)),
                Cell(f"x{row.config.scale}"),
                Cell(f"{row.val_gain:.3f}"),
                *(Cell(f"{row.values[name]:.6g}") for name in others),
            )
            for row in kept
        ),
        f"Finished trials that no other of their scale equals or beats in everything. {provenance(data, trials)}",
    )
    parts: list[Part] = [table]
    for name in others:
        caption = f"Gain against {OBJECTIVES[name].title}; faint: not on the front. {provenance(data, trials)}"
        figure = front_figure(rows, objectives, name, f"front-{name}", caption)
        parts += [] if figure is None else [figure]
    return tuple(parts)
