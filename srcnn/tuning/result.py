"""What a search found, as data, as a table and as Markdown for the run's page in MLflow."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srcnn.evaluate import Score
from srcnn.model import count_macs, count_parameters
from srcnn.tuning.confirm import Choice
from srcnn.tuning.row import Row
from srcnn.tuning.settings import SearchSettings

__all__ = ["SearchResult", "choices_csv", "leaderboard_csv", "mean", "summary_markdown", "verdicts"]


def mean(scores: Sequence[Score]) -> tuple[float, float]:
    """PSNR in dB and SSIM of a set: the means over its images."""
    return statistics.fmean(s.psnr for s in scores), statistics.fmean(s.ssim for s in scores)


@dataclass(frozen=True)
class SearchResult:
    """What a search found."""

    settings: SearchSettings
    rows: tuple[Row, ...]
    bicubic: Mapping[tuple[str, int], tuple[float, float]]  #: PSNR and SSIM by set and scale
    interrupted: bool
    seconds: float
    run_id: str
    tracking_uri: str
    choices: tuple[Choice, ...] = ()  #: after a confirmation, one for each scale
    champions: tuple[str, ...] = ()  #: what became of the titles in the model registry, a sentence each
    notes: tuple[str, ...] = ()  #: what the time budget left of the confirmation, where it is not the one asked for

    def of_scale(self, scale: int) -> list[Row]:
        """The finished trials of a scale, best on validation first."""
        rows = [row for row in self.rows if row.config.scale == scale and row.outcome == "finished"]
        return sorted(rows, key=lambda row: row.objective, reverse=True)

    @property
    def scales(self) -> list[int]:
        """The scales that have a trial."""
        return sorted({row.config.scale for row in self.rows})

    @property
    def sets(self) -> list[str]:
        """The test sets that were measured."""
        return list(dict.fromkeys(name for name, _ in self.bicubic))

    def count(self, kind: str) -> int:
        """How many trials ended so."""
        return sum(row.outcome == kind for row in self.rows)


def leaderboard_csv(result: SearchResult) -> str:
    """Every trial, a line each, best objective first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    sets = [f"{name}_{metric}" for name in result.sets for metric in ("psnr", "ssim")]
    fields = ("trial", "scale", "kernels", "filters", "learning_rate", "parameters", "macs", "outcome", "reference")
    writer.writerow([*fields, "objective", "val_psnr", "val_gain", *sets, "failure"])
    for row in sorted(result.rows, key=lambda r: (r.outcome != "finished", -r.objective)):
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
    """What was confirmed, a line for each configuration and seed, best mean on validation first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "scale",
            "place",
            "configuration",
            "reference",
            "seed",
            "trial",
            "val_gain",
            *(f"{n}_psnr" for n in result.sets),
            "val_gain_low",
            "val_gain_high",
        ]
    )
    for choice in result.choices:
        for place, one in enumerate(choice.ranked, start=1):
            interval = [f"{one.gain.low:.4f}", f"{one.gain.high:.4f}"]  # of the configuration, beside each of its seeds
            for i, row in enumerate(one.rows):
                figures = [f"{one.psnr[name][i].mean():.4f}" for name in result.sets]
                gain = f"{one.gains[i].mean():.4f}"
                cells = [choice.scale, place, one.name, one.reference, row.config.seed, row.trial_id, gain]
                writer.writerow([*cells, *figures, *interval])
    return text.getvalue()


def summary_markdown(result: SearchResult) -> str:
    """What was chosen at every scale beside bicubic and the paper's network, for the page of the search's run."""
    heads = ["scale", "configuration", "validation gain (dB)", *[f"{name} PSNR / SSIM" for name in result.sets]]
    lines = [f"**{result.settings.name}**: chosen on validation images; test figures measured afterwards.", ""]
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
    kinds = ("finished", "stopped", "failed", "unfinished")
    counts = ", ".join(f"{result.count(kind)} {kind}" for kind in kinds)
    lines += ["", f"{len(result.rows)} trials: {counts}; {result.seconds:.0f} s."]
    for choice in result.choices:
        lines += ["", *verdicts(choice, result.sets)]
    return "\n".join([*lines, *(f"\n{sentence}." for sentence in (*result.notes, *result.champions))])


def _confirmed_lines(result: SearchResult, choice: Choice) -> list[str]:
    lines = []
    shown = [("champion", choice.champion)]
    if choice.paper is not None and choice.paper is not choice.champion:
        shown.insert(0, ("paper's network", choice.paper))
    for title, one in shown:
        cells = [f"{one.test_psnr(name)} / {one.ssim[name]:.4f}" for name in result.sets]
        lines.append(f"| x{choice.scale} | {title}: {one.name} | {one.gain} | {' | '.join(cells)} |")
    return lines


def verdicts(choice: Choice, sets: Sequence[str]) -> list[str]:
    """How sure the choice of a scale is, in sentences."""
    lines = []
    if choice.over_second is not None:
        second = choice.ranked[1].name
        sure = "surely better than" if choice.over_second.above_zero else "not surely better than"
        lines.append(
            f"x{choice.scale}: the champion is {sure} {second}: {choice.over_second.signed()} dB on validation"
        )
    if choice.over_paper is not None:
        parts = [f"{choice.over_paper.signed()} dB on validation"]
        for name in sets:
            difference = choice.test_over_paper(name)
            if difference is not None:
                parts.append(f"{difference.signed()} dB on {name}")
        lines.append(f"x{choice.scale}: over the paper's network, same budget and seeds: {', '.join(parts)}")
    lines += [f"x{choice.scale}: {name} is out, since a seed of it failed" for name in choice.lost]
    return lines
