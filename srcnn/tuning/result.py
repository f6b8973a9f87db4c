"""What a search found, as data, as a table and as Markdown for the run's page in MLflow."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from srcnn.config import TrainConfig
from srcnn.model import count_macs, count_parameters
from srcnn.tuning.settings import SearchSettings

__all__ = ["Row", "SearchResult", "leaderboard_csv", "summary_markdown"]


@dataclass(frozen=True)
class Row:
    """One trial in the result; PSNRs in dB."""

    trial_id: str
    name: str
    config: TrainConfig
    outcome: str  #: ``finished``, ``stopped`` early, ``failed``, or ``unfinished`` in an interrupted search
    reference: bool  #: the paper's network, trained with the same budget
    objective: float
    val_psnr: float
    val_gain: float
    checkpoint: Path | None
    failure: str = ""
    test: Mapping[str, tuple[float, float]] = field(default_factory=dict)  #: PSNR and SSIM by set


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


def summary_markdown(result: SearchResult) -> str:
    """The best of every scale beside bicubic and the paper's network, for the page of the search's run."""
    heads = ["scale", "configuration", "validation gain (dB)", *[f"{name} PSNR / SSIM" for name in result.sets]]
    lines = [f"**{result.settings.name}**: chosen on validation images; test figures measured afterwards.", ""]
    lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for scale in result.scales:
        cells = ["{:.2f} / {:.4f}".format(*result.bicubic[name, scale]) for name in result.sets]
        lines.append(f"| x{scale} | bicubic | 0.00 | {' | '.join(cells)} |")
        rows = result.of_scale(scale)
        for title, row in [("paper's network", r) for r in rows if r.reference][:1] + [("best", r) for r in rows[:1]]:
            cells = ["{:.2f} / {:.4f}".format(*row.test[name]) if name in row.test else "" for name in result.sets]
            lines.append(f"| x{scale} | {title}: {row.name} | {row.val_gain:+.2f} | {' | '.join(cells)} |")
    kinds = ("finished", "stopped", "failed", "unfinished")
    counts = ", ".join(f"{result.count(kind)} {kind}" for kind in kinds)
    return "\n".join([*lines, "", f"{len(result.rows)} trials: {counts}; {result.seconds:.0f} s."])
