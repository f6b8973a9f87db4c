"""What the parameters did: importances, slices and contour for each scale, and parallel coordinates of all trials."""

from __future__ import annotations

from srcnn.tuning.report.data.full_budget import AtEnd, at_full_budget
from srcnn.tuning.report.data.importance import Importance, importances
from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Part, Text
from srcnn.tuning.report.figures.bars import bars_figure
from srcnn.tuning.report.figures.contour import contour_figure
from srcnn.tuning.report.figures.parallel import parallel_figure
from srcnn.tuning.report.figures.slices import slices_figure
from srcnn.tuning.report.sections.wording import provenance
from srcnn.tuning.space.space import Space

__all__ = ["parameters"]

_COUNTED = (
    "Hollow dots and grey lines are trials that stopped before the full budget. In all but the last picture, a stopped trial "
    "counts with the gain of its rung, plus what other trials gained from there to the end (a median): an estimate."
)


def parameters(data: SearchData) -> tuple[Part, ...]:
    """Return the section's parts."""
    parts: list[Part] = [Text(_COUNTED)]
    reasons: dict[str, list[str]] = {}
    for scale in data.scales:
        trials = data.of_stage("search", scale)
        importance, ends = importances(data.space, trials), at_full_budget(trials)
        if importance.reason:
            reasons.setdefault(importance.reason, []).append(f"x{scale}")
        if data.space is not None:
            parts += _of_scale(data.space, scale, importance, ends)
    for reason, scales in reasons.items():
        parts.append(Text(f"{', '.join(scales)}: {escape.markdown(reason)}"))
    if data.space is not None:
        trials = data.of_stage("search")
        caption = (
            "Every trial's way through its parameters to its gain, as a share of the paper's; colours of finished ones go "
            f"from dark to light with the gain, grey ones did not finish. {provenance(data, trials)}"
        )
        figure = parallel_figure(data.space, trials, "parallel", caption)
        parts.append(figure if figure is not None else Text("Too few trials to compare parameters in a picture."))
    return tuple(parts)


def _of_scale(space: Space, scale: int, importance: Importance, ends: list[AtEnd]) -> list[Part]:
    parts: list[Part] = []
    caption = (
        f"x{scale}: gain of {len(ends)} trials against one parameter at a time; red: the best, filled: finished, hollow: "
        "estimated."
    )
    slices = slices_figure(space, ends, f"slices-x{scale}", caption)
    if importance.shares:
        estimated = f", {importance.estimated} of them stopped before the end" if importance.estimated else ""
        caption = (
            f"x{scale}: share of the gain's variance that each parameter explains by itself, by Optuna's {importance.method}, "
            f"from {importance.count} trials{estimated}. Lines: the middle 80 % when these trials are drawn again at random."
        )
        parts.append(bars_figure(importance, f"importance-x{scale}", caption))
        two = [name for name in importance.shares if name in space.parameters][:2]
        if len(two) == 2:
            caption = (
                f"x{scale}: expected gain over {two[0]} and {two[1]}, which matter most, whatever the other parameters are (a "
                "Gaussian process); dots are trials, with a white edge if they finished."
            )
            contour = contour_figure(space, ends, (two[0], two[1]), f"contour-x{scale}", caption)
            parts += [] if contour is None else [contour]
    # A tall one stands beside the two others, so it comes second.
    return parts if slices is None else [*parts[:1], slices, *parts[1:]] if slices.tall else [*parts, slices]
