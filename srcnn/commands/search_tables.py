"""The whole tables of a search's result, for ``--verbose``: confirmed configurations, intervals, verdicts, Pareto front."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from srcnn.overlap.leaks import footnote, marked
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.trials.pareto import front
from srcnn.tuning.trials.published import printed
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.whole_search.choice import Confirmed
from srcnn.tuning.whole_search.result import SearchResult

__all__ = ["show_front", "show_tables"]


def _figures(row: TrialResult, sets: list[str]) -> list[str]:
    return [f"{row.test[s][0]:.2f} / {row.test[s][1]:.4f}" if s in row.test else "" for s in sets]


def _confirmed(one: Confirmed, sets: list[str]) -> list[str]:
    """Return the cells of a confirmed configuration. Only values from judging seeds have an interval, not the selected ones."""
    cells = [f"{one.gains.mean():.3f}", "" if one.gain is None else str(one.gain)]
    for name in sets:
        psnr = one.test_psnr(name)
        cells.append(f"{psnr.text('.2f') if one.judging_trials else format(psnr.mean, '.2f')} / {one.ssim[name]:.4f}")
    return cells


def show_tables(console: Console, plan: Plan, result: SearchResult) -> None:
    """Print all confirmed configurations of each scale beside bicubic and the paper's network, and the verdicts."""
    sets = [images.name for images in plan.test]
    title = "PSNR in dB / SSIM; chosen by the gain over bicubic on validation images"
    if result.choices:
        title += "; gain: of further seeds on judging images [95 % over both]; PSNR: of the same seeds [95 %]"
    table = Table(title=title, title_justify="left")
    gain = ["gain"] if result.choices else []
    for head in ("scale", "configuration", "val gain", *gain, *(marked(name, result.kept) for name in sets)):
        table.add_column(head, justify="left" if head == "configuration" else "right", overflow="fold")
    choices = {choice.scale: choice for choice in result.choices}
    for scale in result.scales:
        rows, choice = result.of_scale(scale), choices.get(scale)
        plain = [f"{result.bicubic[s, scale][0]:.2f} / {result.bicubic[s, scale][1]:.4f}" for s in sets]
        table.add_row(f"x{scale}", "bicubic", "0.00", *["0.00" for _ in gain], *plain)
        known = [printed(s, scale) for s in sets]
        if any(known):
            table.add_row(
                "", "the paper prints for 9-1-5 on T91", "", *gain and [""], *[f"{k:.2f}" if k else "" for k in known]
            )
        if choice is not None:
            for place, one in enumerate(choice.ranked, start=1):
                name = f"{place}. {one.name}" + (" (the paper's network)" if one.reference else "")
                table.add_row("", name, *_confirmed(one, sets), style="bold green" if place == 1 else None)
        elif not rows:
            table.add_row("", "no trial finished", "", *["" for _ in (*gain, *sets)])
        else:
            for row in [row for row in rows if row.reference][:1]:
                name = f"paper's network, same budget: {row.name}"
                table.add_row("", name, f"{row.val_gain:+.2f}", *["" for _ in gain], *_figures(row, sets))
            for place, row in enumerate(rows[:3], start=1):
                style = "bold green" if place == 1 else None
                cells = [f"{row.val_gain:+.2f}", *["" for _ in gain], *_figures(row, sets)]
                table.add_row("", f"{place}. {row.name}", *cells, style=style)
        table.add_section()
    console.print(table)
    if result.kept:
        console.print(footnote(result.kept), markup=False, highlight=False, soft_wrap=not console.is_terminal)
    for verdict in result.verdicts:
        for line in verdict.sentences():
            console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def show_front(console: Console, result: SearchResult) -> None:
    """Print the Pareto front of a search with several objectives."""
    objectives = result.settings.objectives
    table = Table(title="Pareto front: no other trial of the scale is as good in all objectives", title_justify="left")
    for head in ("scale", "configuration", "val gain", *objectives[1:]):
        table.add_column(head, justify="left" if head == "configuration" else "right", overflow="fold")
    for row in front(result.rows, objectives):
        figures = [f"{row.values[name]:.4g}" for name in objectives[1:]]
        table.add_row(f"x{row.config.scale}", row.name, f"{row.val_gain:+.2f}", *figures)
    console.print(table)
