"""Timeline of a search: a row for what one worker could have done, a bar for each span of a training, marks for what ended it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from srcnn.tuning.report.data.timeline import Span
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.style import BLACK, BLUE, FONT, GREEN, GREY, RED, finish, new_figure, to_png
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["timeline_figure"]

_MOST_ROWS = 60  # of workers that are shown
_ORANGE = "#E69F00"
# Colours by what became of the training in the end, and by the stage; hatches tell them apart in grey print.
_STYLES = {
    "finished": (BLUE, ""),
    "stopped": (GREY, ""),
    "failed": (RED, "xxx"),
    "not ended": (_ORANGE, "..."),
    "confirmation": (GREEN, "//"),
}
#: Marks at the end of a span.
_MARKS: dict[str, tuple[str, str]] = {
    "paused": ("|", "paused"),
    "stopped": ("s", "stopped for good"),
    "failed": ("X", "failed"),
    "interrupted": ("D", "killed or interrupted"),
}


def timeline_figure(spans: Sequence[Span], name: str, caption: str) -> Figure | None:
    """The figure, with the time since the start of the search on the x axis.

    Args:
        spans: spans of `srcnn.tuning.report.data.timeline.timeline`.
        name: name of the figure.
        caption: what must be known to read it.

    Returns:
        The figure; None if there is no span.
    """
    if not spans:
        return None
    shown = [span for span in spans if span.row < _MOST_ROWS]
    hidden = len({span.row for span in spans}) - len({span.row for span in shown})
    if hidden:
        caption += f" {hidden} more rows are not shown."
    ends = Counter(span.kind for span in spans)
    resumed = sum(span.resumed for span in spans)
    said = ", ".join(f"{count} {kind}" for kind, count in ends.most_common())
    alt = f"Timeline of {len({span.child.trial_id for span in spans})} trainings: spans that ended {said}; {resumed} resumed."
    return Figure(name, _static(shown), caption, alt)


def _style(span: Span) -> str:
    if span.child.stage != "search" and span.child.outcome is not Outcome.FAILED:
        return "confirmation"
    return span.child.outcome if span.child.outcome in _STYLES else "not ended"


def _static(spans: Sequence[Span]) -> bytes:
    rows = 1 + max(span.row for span in spans)
    last = max(span.end for span in spans)
    unit, word = (3600.0, "hours") if last > 7200 else (60.0, "minutes") if last > 180 else (1.0, "seconds")
    figure = new_figure(min(8.0, 1.5 + 0.3 * rows) if rows <= 12 else min(8.0, 2.4 + 0.13 * rows))
    axes = figure.add_subplot()
    used, marked = dict.fromkeys(_STYLES, 0), dict.fromkeys((*_MARKS, "resumed"), 0)
    size = 7.0 if rows <= 12 else 4.0
    for span in spans:
        kind = _style(span)
        color, hatch = _STYLES[kind]
        used[kind] += 1
        width = max(span.end - span.start, last / 1500)
        edge = BLACK if span.child.reference else "white"
        axes.barh(
            span.row,
            width / unit,
            left=span.start / unit,
            height=0.74,
            color=color,
            alpha=0.85,
            hatch=hatch,
            edgecolor=edge,
            linewidth=0.9 if span.child.reference else 0.4,
        )
        if span.kind in _MARKS:
            marked[span.kind] += 1
            marker, _ = _MARKS[span.kind]
            axes.plot(span.end / unit, span.row, marker=marker, color=BLACK, markersize=size, markeredgewidth=1.3)
        if span.resumed:
            marked["resumed"] += 1
            axes.plot(span.start / unit, span.row, marker=">", color=BLACK, markersize=size - 2)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_yticks(range(rows) if rows <= 12 else range(0, rows, 10), [])
    axes.set_xlim(0, last / unit * 1.01)
    axes.set_xlabel(f"{word} since the start of the search")
    axes.set_ylabel("workers")
    finish(axes)
    axes.grid(visible=False, axis="y")
    handles: list[Patch | Line2D] = [
        Patch(facecolor=_STYLES[kind][0], hatch=_STYLES[kind][1], edgecolor="white", label=kind)
        for kind, count in used.items()
        if count
    ]
    marks = {**_MARKS, "resumed": (">", "resumed")}
    handles += [
        Line2D([], [], color=BLACK, marker=marker, linestyle="none", label=label, markersize=5)
        for kind, (marker, label) in marks.items()
        if marked[kind]
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=FONT, frameon=False)
    return to_png(figure)
