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
from srcnn.tuning.search.choice import Choice, Confirmed
from srcnn.tuning.trials.intervals import Figures
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, Lead, ScaleVerdict, SeedFigures

__all__ = ["SearchResult", "choices_csv", "leaderboard_csv", "mean", "summary_markdown", "verdict_of"]


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

    @property
    def verdicts(self) -> tuple[ScaleVerdict, ...]:
        """After a confirmation, what was found at each scale."""
        return tuple(verdict_of(choice, self.sets, self.kept) for choice in self.choices)

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
    for verdict in result.verdicts:
        for place, one in enumerate(verdict.ranked, start=1):
            bounds = ["", ""] if one.gain is None else [f"{one.gain.low:.4f}", f"{one.gain.high:.4f}"]
            for step, seeds in (("choose", one.chose), ("judge", one.judged)):
                for seed in seeds:
                    gain = "" if seed.gain is None else f"{seed.gain:.4f}"
                    figures = [f"{seed.psnr[n]:.4f}" if n in seed.psnr else "" for n in result.sets]
                    cells = [verdict.scale, place, one.name, one.reference, step, seed.seed, seed.trial_id]
                    last = [gain, "", *figures, "", ""] if step == "choose" else ["", gain, *figures, *bounds]
                    writer.writerow([*cells, *last])
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
    for verdict in result.verdicts:
        lines += ["", *verdict.sentences()]
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


def verdict_of(choice: Choice, sets: Sequence[str], kept: Sequence[Leak] = ()) -> ScaleVerdict:
    """Return what was found at a scale.

    Args:
        choice: of the scale.
        sets: the test sets that were measured.
        kept: images that were trained on or chosen by though they show test images, so that leads on their sets are marked.
    """
    champion, judging = choice.champion, choice.champion.judged
    over = choice.over_paper
    leads = [] if over is None else [Lead(None, over)]
    overlapping = {leak.of for leak in kept}
    for name in sets:
        if (lead := choice.test_over_paper(name)) is not None:
            leads.append(Lead(name, lead, name in overlapping))
    return ScaleVerdict(
        choice.scale,
        tuple(_configuration(one, sets) for one in choice.ranked),
        champion.gains.shape[1],
        0 if judging is None else judging.shape[1],
        tuple(leads),
        choice.lost,
    )


def _configuration(one: Confirmed, sets: Sequence[str]) -> ConfirmedConfiguration:
    def seeds(rows: Sequence[TrialResult], gains: Figures | None) -> tuple[SeedFigures, ...]:
        means = [None] * len(rows) if gains is None else gains.mean(axis=1).tolist()
        return tuple(
            SeedFigures(
                row.config.seed,
                row.trial_id,
                means[i],
                {name: float(one.psnr[name][i].mean()) for name in sets if name in one.psnr and rows is one.final},
            )
            for i, row in enumerate(rows)
        )

    spec = one.rows[0].spec
    chose, judged = seeds(one.rows, one.gains), seeds(one.fresh, one.judged)
    return ConfirmedConfiguration(spec.name, spec.configuration, spec.reference, chose, judged, one.gain)
