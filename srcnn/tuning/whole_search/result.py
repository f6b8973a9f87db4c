"""Results of a search: as data and as CSV tables."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srcnn.evaluation.protocol import Score
from srcnn.model.network import count_macs, count_parameters
from srcnn.overlap.leaks import Leak
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.trials.intervals import Figures
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, Lead, ScaleVerdict, SeedFigures, artefact_words
from srcnn.tuning.whole_search.choice import Choice, Confirmed

__all__ = ["SearchResult", "choices_csv", "leaderboard_csv", "mean", "verdict_of"]


def mean(scores: Sequence[Score]) -> tuple[float, float]:
    """Return the mean PSNR in dB and the mean SSIM over the images of a set."""
    return statistics.fmean(s.psnr for s in scores), statistics.fmean(s.ssim for s in scores)


@dataclass(frozen=True)
class SearchResult:
    """Results of a search."""

    settings: SearchSettings
    rows: tuple[TrialResult, ...]  #: results of all trials
    #: Mean PSNR in dB and SSIM of bicubic, by test set and scale.
    bicubic: Mapping[tuple[str, int], tuple[float, float]]
    interrupted: bool
    seconds: float  #: wall time
    run_id: str  #: id of the search's run in MLflow
    tracking_uri: str
    choices: tuple[Choice, ...] = ()  #: choices of a confirmation, one per scale
    champions: tuple[str, ...] = ()  #: sentences about the champions in the model registry, one per scale
    left_out: tuple[Leak, ...] = ()  #: leaks whose images were left out, as in the plan
    kept: tuple[Leak, ...] = ()  #: leaks whose images were kept on request; figures on the affected sets are marked
    notes: tuple[str, ...] = ()  #: sentences about a confirmation that the time budget made smaller or omitted

    def of_scale(self, scale: int) -> list[TrialResult]:
        """Return the finished trials of a scale, best objective first; behind them those that fail on a drawn pattern."""
        rows = [row for row in self.rows if row.config.scale == scale and row.outcome is Outcome.FINISHED]
        rows = sorted(rows, key=lambda row: row.objective, reverse=True)
        return rows if self.settings.allow_artefacts else sorted(rows, key=lambda row: row.has_artefacts)

    def artefact_lines(self, scale: int) -> list[str]:
        """Return sentences about artefacts in the choice of the best single trial of a scale; none with a confirmation."""
        rows = self.of_scale(scale)
        if any(choice.scale == scale for choice in self.choices) or not rows:
            return []
        better = [row for row in rows[1:] if row.objective > rows[0].objective]
        names = [(row.spec.configuration, row.pattern_lead) for row in better]
        return [f"x{scale}: {one}" for one in artefact_words(rows[0].spec.configuration, rows[0].pattern_lead, names)]

    @property
    def scales(self) -> list[int]:
        """Scales that have a trial."""
        return sorted({row.config.scale for row in self.rows})

    @property
    def sets(self) -> list[str]:
        """Test sets that were measured."""
        return list(dict.fromkeys(name for name, _ in self.bicubic))

    @property
    def verdicts(self) -> tuple[ScaleVerdict, ...]:
        """Verdicts of a confirmation, one per scale."""
        return tuple(verdict_of(choice, self.sets, self.kept) for choice in self.choices)

    def count(self, kind: Outcome) -> int:
        """Return the number of trials with an outcome."""
        return sum(row.outcome == kind for row in self.rows)


def leaderboard_csv(result: SearchResult) -> str:
    """Return a table of all trials, best objective first."""
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
    """Return a table of the confirmation: one line per configuration and seed, highest mean validation gain first.

    ``step`` is ``choose`` for the choosing seeds, with the figure ``val_gain``, and ``judge`` for the judging seeds, with the
    figure ``gain`` on the judging images. ``gain_low`` and ``gain_high`` are the interval of the configuration over seeds and
    images.
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


def verdict_of(choice: Choice, sets: Sequence[str], kept: Sequence[Leak] = ()) -> ScaleVerdict:
    """Return the verdict of a scale as data.

    Args:
        choice: choice of the scale.
        sets: test sets that were measured.
        kept: leaks whose images were kept for training or validation; leads on the affected test sets are marked.
    """
    winner, judging = choice.winner, choice.winner.judging_gains
    over = choice.over_paper
    leads = [] if over is None else [Lead(None, over)]
    overlapping = {leak.of for leak in kept}
    for name in sets:
        if (lead := choice.test_over_paper(name)) is not None:
            leads.append(Lead(name, lead, name in overlapping))
    return ScaleVerdict(
        choice.scale,
        tuple(_configuration(one, sets) for one in choice.ranked),
        winner.gains.shape[1],
        0 if judging is None else judging.shape[1],
        tuple(leads),
        choice.lost,
        tuple(one.rows[0].spec.configuration for one in choice.passed_over),
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
    chose, judged = seeds(one.rows, one.gains), seeds(one.judging_trials, one.judging_gains)
    return ConfirmedConfiguration(
        spec.name, spec.configuration, spec.reference, chose, judged, one.gain, one.pattern_lead
    )
