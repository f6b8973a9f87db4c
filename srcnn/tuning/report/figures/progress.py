"""Best gain so far of a search: against time, and against compute beside what random search could expect."""

from __future__ import annotations

import numpy as np

from srcnn.tuning.report.data.progress import Progress, RandomDraws, expected_best
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.style import BLACK, BLUE, FONT, HALF, RED, finish, new_figure, to_png

__all__ = ["best_figure", "compute_figure"]

_Y = "best gain so far (dB)"
_SHARE = 0.15  # of the reports, the earliest ones, whose gains may lie below the picture


def best_figure(found: Progress, name: str, caption: str, paper: float | None) -> Figure:
    """Best so far against time; dots where another trial took the lead.

    Args:
        found: progress at one scale.
        name: name of the figure.
        caption: what must be known to read it.
        paper: gain of the paper's network with the same budget, in dB; None: it did not finish.
    """
    last = found.seconds[-1]
    unit, word = (3600.0, "hours") if last > 7200 else (60.0, "minutes") if last > 180 else (1.0, "seconds")
    figure = new_figure(2.7, HALF)
    axes = figure.add_subplot()
    x = np.array(found.seconds) / unit
    axes.step(x, found.gains, where="post", color=BLUE, linewidth=1.8, label="best so far")
    places = [place for place, _ in found.leaders]
    axes.plot(x[places], np.array(found.gains)[places], "o", color=BLUE, markersize=4, label="new leader")
    if paper is not None:
        axes.axhline(paper, color=BLACK, linewidth=1.2, linestyle="dashed", label="the paper's network")
    axes.set_xlim(left=0)
    axes.set_ylim(*_limits(found, [paper] if paper is not None else []))
    axes.set_xlabel(f"{word} since the start of the search")
    axes.set_ylabel(_Y)
    finish(axes)
    figure.legend(
        fontsize=FONT, loc="outside lower center", ncols=3, frameon=False, handlelength=1.4, columnspacing=1.0
    )
    alt = (
        f"Best gain so far, from {found.gains[0]:.3f} to {found.gains[-1]:.3f} dB; {len(found.leaders)} trials led, at last "
        f"{found.leaders[-1][1].name}."
    )
    return Figure(name, to_png(figure), caption, alt, half=True)


def compute_figure(found: Progress, draws: RandomDraws | None, name: str, caption: str) -> Figure:
    """Best so far against compute in full trainings, and the expected best of as many random draws.

    Args:
        found: progress at one scale.
        draws: gains that random search would draw from; None: too few.
        name: name of the figure.
        caption: what must be known to read it.
    """
    figure = new_figure(2.7, HALF)
    axes = figure.add_subplot()
    axes.step(found.trainings, found.gains, where="post", color=BLUE, linewidth=1.8, label="this search")
    expected: list[float] = []
    if draws is not None:
        counts = range(1, max(1, int(found.trainings[-1])) + 1)
        expected = [float(value) for value in expected_best(draws.gains, list(counts))]
        axes.plot(counts, expected, "s--", color=RED, linewidth=1.4, markersize=3, label="random search, expected")
    axes.set_xlim(left=0)
    axes.set_ylim(*_limits(found, expected))
    axes.set_xlabel("compute, in full trainings")
    axes.set_ylabel(_Y)
    finish(axes)
    figure.legend(fontsize=FONT, loc="outside lower center", ncols=2, frameon=False, handlelength=1.8)
    alt = f"Best gain against compute: {found.gains[-1]:.3f} dB after {found.trainings[-1]:.1f} full trainings"
    alt += f"; random search would expect {expected[-1]:.3f} dB." if expected else "."
    return Figure(name, to_png(figure), caption, alt, half=True)


def _limits(found: Progress, others: list[float]) -> tuple[float, float]:
    """Return the ends of the y axis: the early, bad networks may lie below it, so that the end can be read."""
    high = max(*found.gains, *others, -1e9)
    early = found.gains[min(len(found.gains) - 1, int(_SHARE * len(found.gains)))]
    low = min([early, *others])
    margin = max(0.02, 0.25 * (high - low))
    return low - margin, high + margin
