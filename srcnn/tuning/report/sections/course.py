"""What a search did: timeline of its trials, best gain so far, gain against compute, and what it believed."""

from __future__ import annotations

from srcnn.config.quantities import counted
from srcnn.tuning.report.data.beliefs import beliefs, calibration
from srcnn.tuning.report.data.progress import RandomDraws, progress, random_draws
from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.report.data.timeline import timeline
from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Figure, Part, Text
from srcnn.tuning.report.figures.beliefs import beliefs_figure
from srcnn.tuning.report.figures.progress import best_figure, compute_figure
from srcnn.tuning.report.figures.timeline import timeline_figure
from srcnn.tuning.report.sections.wording import duration
from srcnn.tuning.tracking import names
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["believed", "course"]


_TOO_FEW, _ENOUGH = 0.8, 10  # share of ends in a range of 95 %, and number of predictions, for which it is said


def course(data: SearchData) -> tuple[Part, ...]:
    """Return the timeline, and for each scale the best gain against time and against compute."""
    parts: list[Part] = []
    if data.started is None:
        return ()
    spans = timeline(data.children, data.started)
    caption = (
        f"When each of the {counted(len(data.children), 'training')} ran. Colour: how it ended; black frame: the paper's "
        "network. MLflow does not keep the worker, so a row is what one worker could have done."
    )
    figure = timeline_figure(spans, "timeline", caption)
    parts += [figure] if figure is not None else []
    for scale in data.scales:
        parts += _of_scale(data, scale, data.started)
    return tuple(parts)


def _of_scale(data: SearchData, scale: int, zero: float) -> list[Figure]:
    trials = data.of_stage("search", scale)
    found = progress(trials, data.budget or 1.0, zero)
    if found is None or not data.budget:
        return []
    paper = next((c.gain for c in trials if c.reference and c.outcome is Outcome.FINISHED), None)
    leader = found.leaders[-1][1].name
    first = best_figure(
        found,
        f"best-x{scale}",
        f"x{scale}: best gain of any report so far, over bicubic on validation images, of {counted(len(trials), 'trial')}; the "
        f"last leader is {leader}. One seed each, so the end is partly luck.",
        paper,
    )
    draws = random_draws(trials)
    second = compute_figure(
        found,
        draws,
        f"compute-x{scale}",
        f"x{scale}: best gain against compute; one unit is a full training of {data.budget / 1e6:.3g} million pixels. "
        f"{_drawn(draws)}",
    )
    return [first, second]


def _drawn(draws: RandomDraws | None) -> str:
    if draws is None:
        return "There are too few trials to say what random search would expect."
    rest = (
        f" {draws.estimated} of their gains are estimates, since these trials stopped early." if draws.estimated else ""
    )
    if draws.at_random:
        return (
            f"Random search: expected best of so many draws, with replacement, from the {len(draws.gains)} trials that this "
            f"search drew at random.{rest}"
        )
    return (
        f"Random search: expected best of so many draws, with replacement, from all {len(draws.gains)} configurations as "
        f"recorded. The search chose most of them, which flatters random search.{rest}"
    )


def believed(data: SearchData) -> tuple[Part, ...]:
    """Return what the search predicted, beside what came; empty if it kept no prediction."""
    lines, parts = [], list[Part]()
    expected, took = (
        data.metrics.get(names.METRIC_EXPECTED_SECONDS),
        data.metrics.get(names.METRIC_TOOK_SECONDS, data.seconds),
    )
    if expected is not None and took is not None and expected > 0:
        lines.append(
            f"- Time: {duration(expected)} was expected before the start, and it took {duration(took)}, {took / expected:.2f} "
            "times as long."
        )
    found = beliefs(data.of_stage("search"))
    result = calibration(found)
    if result is not None:
        side = "too high" if result.bias > 0 else "too low"
        lines.append(
            f"- Gain: {counted(result.count, 'prediction')} of how {counted(result.trials, 'finished trial')} would end were "
            f"{abs(result.bias):.3f} dB {side} on average, and {result.error:.3f} dB off (root mean square)."
        )
        if result.inside is not None:
            bold = result.inside < _TOO_FEW and result.count >= _ENOUGH
            lines.append(
                f"- Spread: {100 * result.inside:.0f} % of the ends lie in the range that should hold 95 %."
                + (" Its predictions were more certain than they should be." if bold else "")
            )
        caption = (
            "Predicted against actual gain at the end, over bicubic on validation images. A line is the range that should hold "
            "95 % of the ends; on the dashed line a prediction is right. Only trials that finished can be compared, and "
            "these are the ones that promised most."
        )
        parts.append(beliefs_figure(found, "beliefs", caption))
    elif any(child.history.decisions for child in data.of_stage("search")):
        lines.append(escape.markdown("- Gain: no trial that a prediction was made about has finished."))
    if lines:
        parts.insert(0, Text("\n".join(lines)))
    return tuple(parts)
