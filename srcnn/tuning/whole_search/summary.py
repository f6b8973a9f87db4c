"""The text at the top of a search's page in MLflow, as Markdown: what was found in words, pictures, figures, and where to go on.

MLflow's page shows pictures that are artifacts of the same server, and follows links inside itself (tried with 3.17).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from srcnn.config.quantities import counted
from srcnn.overlap.leaks import footnote, marked
from srcnn.overlap.leaks import lines as leak_lines
from srcnn.tuning.adapters.mlflow_internals import artifact_address
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.view_states import CONFIRMATIONS, SEARCHES, TRIALS
from srcnn.tuning.tracking.views import path_of
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.whole_search.choice import Choice
from srcnn.tuning.whole_search.pictures import Picture, picture_file
from srcnn.tuning.whole_search.result import SearchResult

__all__ = ["summary_markdown"]

_TITLES = {"original": "original", "bicubic": "bicubic", "reference": "the paper's network", "champion": "champion"}


def summary_markdown(
    result: SearchResult, experiment_id: str = "", pictures: Mapping[int, Sequence[Picture]] | None = None
) -> str:
    """Return the text for the page of a search's run.

    Args:
        result: result of the search.
        experiment_id: id of the experiment, for links to the views of the search; empty: no links.
        pictures: pictures of the champions, by scale, which are artifacts of the run.
    """
    name = result.settings.name
    counts = ", ".join(
        f"{result.count(kind)} {kind}" for kind in Outcome if kind != Outcome.WAITING or result.count(kind)
    )
    lines = [f"**{name}**: {counted(len(result.rows), 'trial')} ({counts}), {result.seconds:.0f} s."]
    if experiment_id:
        trials, confirmations, searches = (
            path_of("", experiment_id, name, view).removeprefix("/") for view in (TRIALS, CONFIRMATIONS, SEARCHES)
        )
        lines += ["", f"[Compare the trials]({trials}) · "]
        lines[-1] += f"[Confirmations]({confirmations}) · " if result.choices else ""
        lines[-1] += f"[All searches]({searches})"
    for verdict in result.verdicts:
        lines += ["", *(f"- {sentence}." for sentence in verdict.sentences())]
    lines += [f"\n- {sentence}." for scale in result.scales for sentence in result.artefact_lines(scale)]
    for scale, found in (pictures or {}).items():
        lines += _pictures(result.run_id, scale, found)
    lines += ["", *_table(result)]
    lines += [f"\n{sentence}." for sentence in leak_lines(result.left_out, ())]
    lines += [f"\n{footnote(result.kept)}"] * bool(result.kept)
    return "\n".join([*lines, *(f"\n{sentence}." for sentence in (*result.notes, *result.champions))])


def _pictures(run_id: str, scale: int, pictures: Sequence[Picture]) -> list[str]:
    lines: list[str] = []
    for one in pictures:
        kinds = ["original", *one.psnr]
        heads = [_TITLES[kind] + (f", {one.psnr[kind]:.2f} dB" if kind in one.psnr else "") for kind in kinds]
        cells = [
            f"![{kind}]({artifact_address(run_id, f'{names.ARTIFACT_PICTURES}/x{scale}/{picture_file(one.image, kind)}')})"
            for kind in kinds
        ]
        lines += ["", f"{one.image} at x{scale}, part of the image; PSNR of the whole image:", ""]
        lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", f"| {' | '.join(cells)} |"]
    return lines


def _table(result: SearchResult) -> list[str]:
    sets = [marked(name, result.kept) for name in result.sets]
    heads = ["scale", "configuration", "gain (dB)", *[f"{name} PSNR / SSIM" for name in sets]]
    how = "Chosen on validation images; test figures measured afterwards."
    if result.choices:
        how = "Chosen on validation images; gains and test figures are of further seeds, the gains on judging images."
    lines = [how, "", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    choices = {choice.scale: choice for choice in result.choices}
    for scale in result.scales:
        if all((name, scale) in result.bicubic for name in result.sets):
            cells = ["{:.2f} / {:.4f}".format(*result.bicubic[name, scale]) for name in result.sets]
            lines.append(f"| x{scale} | bicubic | 0.00 | {' | '.join(cells)} |")
        if scale in choices:
            lines += _confirmed_lines(result, choices[scale])
            continue
        rows = result.of_scale(scale)
        for title, row in [("paper's network", r) for r in rows if r.reference][:1] + [("best", r) for r in rows[:1]]:
            cells = ["{:.2f} / {:.4f}".format(*row.test[name]) if name in row.test else "" for name in result.sets]
            lines.append(f"| x{scale} | {title}: {row.name} | {row.val_gain:+.2f} | {' | '.join(cells)} |")
    return lines


def _confirmed_lines(result: SearchResult, choice: Choice) -> list[str]:
    lines = []
    shown = [("champion", choice.winner)]
    if choice.paper is not None and choice.paper is not choice.winner:
        shown.insert(0, ("paper's network", choice.paper))
    for title, one in shown:
        cells = [f"{one.test_psnr(name).text('.2f')} / {one.ssim[name]:.4f}" for name in result.sets]
        lines.append(f"| x{choice.scale} | {title}: {one.name} | {one.gain or 'not judged'} | {' | '.join(cells)} |")
    return lines
