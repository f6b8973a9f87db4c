"""What a search found, as data, as a table and as Markdown for the run's page in MLflow."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srcnn.evaluation.protocol import Score
from srcnn.model.network import count_macs, count_parameters
from srcnn.overlap.leaks import Leak, footnote, marked
from srcnn.overlap.leaks import lines as leak_lines
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.search.choice import Choice
from srcnn.tuning.trials.intervals import Interval
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult

__all__ = ["SearchResult", "choices_csv", "leaderboard_csv", "mean", "summary_markdown", "verdicts"]


def mean(scores: Sequence[Score]) -> tuple[float, float]:
    """PSNR in dB and SSIM of a set: the means over its images."""
    return statistics.fmean(s.psnr for s in scores), statistics.fmean(s.ssim for s in scores)


@dataclass(frozen=True)
class SearchResult:
    """What a search found."""

    settings: SearchSettings
    rows: tuple[TrialResult, ...]
    bicubic: Mapping[tuple[str, int], tuple[float, float]]  #: PSNR and SSIM by set and scale
    interrupted: bool
    seconds: float
    run_id: str
    tracking_uri: str
    choices: tuple[Choice, ...] = ()  #: after a confirmation, one for each scale
    champions: tuple[str, ...] = ()  #: what became of the titles in the model registry, a sentence each
    left_out: tuple[Leak, ...] = ()  #: as in the plan
    kept: tuple[Leak, ...] = ()  #: figures of the sets that these show are marked
    notes: tuple[str, ...] = ()  #: what the time budget left of the confirmation, where it is not the one asked for

    def of_scale(self, scale: int) -> list[TrialResult]:
        """The finished trials of a scale, best on validation first."""
        rows = [row for row in self.rows if row.config.scale == scale and row.outcome is Outcome.FINISHED]
        return sorted(rows, key=lambda row: row.objective, reverse=True)

    @property
    def scales(self) -> list[int]:
        """The scales that have a trial."""
        return sorted({row.config.scale for row in self.rows})

    @property
    def sets(self) -> list[str]:
        """The test sets that were measured."""
        return list(dict.fromkeys(name for name, _ in self.bicubic))

    def count(self, kind: Outcome) -> int:
        """How many trials ended so."""
        return sum(row.outcome == kind for row in self.rows)


def leaderboard_csv(result: SearchResult) -> str:
    """Every trial, a line each, best objective first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    sets = [f"{name}_{metric}" for name in result.sets for metric in ("psnr", "ssim")]
    fields = ("trial", "scale", "kernels", "filters", "learning_rate", "parameters", "macs", "outcome", "reference")
    writer.writerow([*fields, "objective", "val_psnr", "val_gain", *sets, "failure"])
    for row in sorted(result.rows, key=lambda r: (r.outcome is not Outcome.FINISHED, -r.objective)):
        config = row.config
        figures = [f"{value:.4f}" for name in result.sets for value in row.test.get(name, (float("nan"),) * 2)]
        writer.writerow(
            [
                row.trial_id,
                config.scale,
                "-".join(map(str, config.kernels)),
                "-".join(map(str, config.filters)),
                config.learning_rate,
                count_parameters(config),
                f"{count_macs(config):.0f}",
                row.outcome,
                row.reference,
                f"{row.objective:.4f}",
                f"{row.val_psnr:.4f}",
                f"{row.val_gain:.4f}",
                *figures,
                row.failure,
            ]
        )
    return text.getvalue()


def choices_csv(result: SearchResult) -> str:
    """What was confirmed, a line for each configuration and new seed, best mean on validation first.

    ``step``: ``choose`` for the seeds that chose, whose figure is ``val_gain``; ``judge`` for the further ones, whose figure is
    ``gain``, on the judging images. ``gain_low`` and ``gain_high`` are of the configuration, over seeds and images.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = ("scale", "place", "configuration", "reference", "step", "seed", "trial", "val_gain", "gain")
    writer.writerow([*heads, *(f"{name}_psnr" for name in result.sets), "gain_low", "gain_high"])
    for choice in result.choices:
        for place, one in enumerate(choice.ranked, start=1):
            bounds = ["", ""] if one.gain is None else [f"{one.gain.low:.4f}", f"{one.gain.high:.4f}"]
            for step, rows in (("choose", one.rows), ("judge", one.fresh)):
                for i, row in enumerate(rows):
                    chosen = f"{one.gains[i].mean():.4f}" if step == "choose" else ""
                    judged = f"{one.judged[i].mean():.4f}" if step == "judge" and one.judged is not None else ""
                    figures = [f"{one.psnr[n][i].mean():.4f}" if rows is one.final else "" for n in result.sets]
                    cells = [choice.scale, place, one.name, one.reference, step, row.config.seed, row.trial_id]
                    writer.writerow([*cells, chosen, judged, *figures, *(bounds if step == "judge" else ["", ""])])
    return text.getvalue()


def summary_markdown(result: SearchResult) -> str:
    """What was chosen at every scale beside bicubic and the paper's network, for the page of the search's run."""
    sets = [marked(name, result.kept) for name in result.sets]
    heads = ["scale", "configuration", "gain (dB)", *[f"{name} PSNR / SSIM" for name in sets]]
    how = "chosen on validation images; test figures measured afterwards"
    if result.choices:
        how = "chosen on validation images; gains and test figures are of further seeds, the gains on judging images"
    lines = [f"**{result.settings.name}**: {how}.", ""]
    lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    choices = {choice.scale: choice for choice in result.choices}
    for scale in result.scales:
        cells = ["{:.2f} / {:.4f}".format(*result.bicubic[name, scale]) for name in result.sets]
        lines.append(f"| x{scale} | bicubic | 0.00 | {' | '.join(cells)} |")
        if scale in choices:
            lines += _confirmed_lines(result, choices[scale])
            continue
        rows = result.of_scale(scale)
        for title, row in [("paper's network", r) for r in rows if r.reference][:1] + [("best", r) for r in rows[:1]]:
            cells = ["{:.2f} / {:.4f}".format(*row.test[name]) if name in row.test else "" for name in result.sets]
            lines.append(f"| x{scale} | {title}: {row.name} | {row.val_gain:+.2f} | {' | '.join(cells)} |")
    counts = ", ".join(f"{result.count(kind)} {kind}" for kind in Outcome)
    lines += ["", f"{len(result.rows)} trials: {counts}; {result.seconds:.0f} s."]
    for choice in result.choices:
        lines += ["", *verdicts(choice, result.sets, result.kept)]
    lines += [f"\n{sentence}." for sentence in leak_lines(result.left_out, ())]
    lines += [f"\n{footnote(result.kept)}"] * bool(result.kept)
    return "\n".join([*lines, *(f"\n{sentence}." for sentence in (*result.notes, *result.champions))])


def _confirmed_lines(result: SearchResult, choice: Choice) -> list[str]:
    lines = []
    shown = [("champion", choice.champion)]
    if choice.paper is not None and choice.paper is not choice.champion:
        shown.insert(0, ("paper's network", choice.paper))
    for title, one in shown:
        cells = [f"{one.test_psnr(name).text('.2f')} / {one.ssim[name]:.4f}" for name in result.sets]
        lines.append(f"| x{choice.scale} | {title}: {one.name} | {one.gain or 'not judged'} | {' | '.join(cells)} |")
    return lines


def verdicts(choice: Choice, sets: Sequence[str], kept: Sequence[Leak] = ()) -> list[str]:
    """How the choice of a scale was made, and how surely the champion leads, in sentences.

    Test sets that ``kept`` images show are marked.
    """
    at, champion = f"x{choice.scale}", choice.champion
    name = champion.name.removeprefix(f"{at} ")
    seeds, images = champion.gains.shape
    lines = [f"{at}: {name} was chosen by {_count(seeds, 'new seed')} on {_count(images, 'validation image')}"]
    if len(choice.ranked) > 1:
        second = choice.ranked[1]
        behind = champion.gains.mean() - second.gains.mean()
        lines[0] += (
            f", where {second.name.removeprefix(f'{at} ')} is {behind:.3f} dB behind (no test: these figures chose)"
        )
    if not champion.fresh:
        lines.append(
            f"{at}: it was not judged, since not all of its further seeds finished; its test figures are selected ones"
        )
    elif champion.gain is None:
        lines.append(f"{at}: no training image was left to judge it on; give more images, or --judging")
    else:
        judged = champion.judged
        assert judged is not None
        how = f"{_count(len(judged), 'further seed')} on {_count(judged.shape[1], 'judging image')}"
        lines.append(f"{at}: judged by {how}, it gains {champion.gain.signed()} dB over bicubic")
    parts = [] if choice.over_paper is None else [_lead(choice.over_paper, "the judging images")]
    parts += [_lead(lead, marked(name, kept)) for name in sets if (lead := choice.test_over_paper(name)) is not None]
    if parts:
        lines.append(f"{at}: over the paper's network, same budget and further seeds: {'; '.join(parts)}")
    lines += [f"{at}: {one.removeprefix(f'{at} ')} is out, since a seed of it failed" for one in choice.lost]
    return lines


def _lead(lead: Interval, where: str) -> str:
    sure = "surely ahead" if lead.low > 0 else "surely behind" if lead.high < 0 else "not sure"
    return f"{lead.signed()} dB on {where}, {sure}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
