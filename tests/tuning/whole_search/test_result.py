"""What a search found as tables and Markdown; every figure here is computed by hand."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from srcnn.config.training import TrainConfig
from srcnn.evaluation.protocol import Score
from srcnn.overlap.leaks import MARK, Leak
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.choice import Choice, Confirmed
from srcnn.tuning.whole_search.result import (
    SearchResult,
    choices_csv,
    leaderboard_csv,
    mean,
    summary_markdown,
    verdict_of,
)

LEAK = Leak("t1", "woman", "Set5", "test", 0.99, 1.0)


def row(key: str, best: float, outcome: Outcome = Outcome.FINISHED, *, seed: int = 1, **fields: Any) -> TrialResult:
    """A trial with a best objective, and twice that as its gain in dB."""
    config = TrainConfig(kernels=(9, 1, 5), filters=(64, 32), scale=fields.pop("scale", 3), seed=seed, residual=False)
    report = TrialReport(9, 9, (best,), EpochFigures(best, best, 9, 30 + 2 * best, 2 * best))
    spec = TrialSpec(config, reference=fields.pop("reference", False), label=fields.pop("label", ""))
    return TrialResult(key, spec, outcome, report, **fields)


def result(*rows: TrialResult, **fields: Any) -> SearchResult:
    bicubic = {("Set5", scale): (30.4, 0.8682) for scale in {one.config.scale for one in rows}}
    settings = SearchSettings(name="s", space="space.yaml")
    return SearchResult(settings, rows, bicubic, False, 61.4, "run", "sqlite:///x.db", **fields)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


ROWS = (
    row("low", 0.5, test={"Set5": (32.25, 0.9)}),
    row("stopped", 0.9, Outcome.STOPPED),
    row("high", 0.75, label="mine, of course"),
    TrialResult("dead", TrialSpec(TrainConfig(scale=2)), Outcome.FAILED, failure='DivergenceError: "nan"'),
)


def test_means_are_over_images() -> None:
    assert mean([Score("a", 30.0, 0.8), Score("b", 33.0, 0.9)]) == pytest.approx((31.5, 0.85))


def test_rows_of_a_scale_are_the_finished_ones_best_first() -> None:
    found = result(*ROWS)
    assert [one.trial_id for one in found.of_scale(3)] == ["high", "low"]
    assert found.of_scale(2) == found.of_scale(4) == []
    assert (found.scales, found.sets) == ([2, 3], ["Set5"])
    assert [found.count(kind) for kind in Outcome] == [2, 1, 0, 1, 0]
    assert found.verdicts == ()


def test_the_leaderboard_has_every_trial_finished_ones_first() -> None:
    board = read(leaderboard_csv(result(*ROWS)))
    assert [line["trial"] for line in board] == ["high", "low", "stopped", "dead"]
    high, low, _, dead = board
    # 9-1-5 with 64 and 32 filters: 81*64 + 64*32 + 25*32 = 8032 weights, 64 + 32 + 1 biases.
    assert (high["kernels"], high["filters"], high["macs"], high["parameters"]) == ("9-1-5", "64-32", "8032", "8129")
    assert (high["objective"], high["val_gain"], high["val_psnr"]) == ("0.7500", "1.5000", "31.5000")
    assert (low["Set5_psnr"], low["Set5_ssim"]) == ("32.2500", "0.9000")
    assert (high["Set5_psnr"], dead["objective"]) == ("nan", "nan")
    assert (dead["outcome"], dead["failure"]) == ("failed", 'DivergenceError: "nan"')


def test_a_leaderboard_without_trials_is_its_head() -> None:
    assert read(leaderboard_csv(result())) == []


# A winner and the paper's network: two seeds that chose, three that judged, on two images each.

WINNER = Confirmed(
    (row("w2", 0.7, seed=2, label="winner"), row("w3", 0.7, seed=3, label="winner")),
    np.array([[1.0, 2.0], [2.0, 3.0]]),
    tuple(row(f"w{seed}", 0.7, seed=seed, label="winner") for seed in (4, 5, 6)),
    np.array([[1.0, 2.0], [1.5, 2.5], [2.0, 3.0]]),
    {"Set5": np.array([[32.0, 34.0], [32.5, 34.5], [33.0, 35.0]])},
    {"Set5": 0.91},
)
PAPER = Confirmed(
    tuple(row(f"p{seed}", 0.6, seed=seed, label="paper", reference=True) for seed in (2, 3)),
    np.array([[0.5, 1.5], [1.5, 2.5]]),
    tuple(row(f"p{seed}", 0.6, seed=seed, label="paper", reference=True) for seed in (4, 5, 6)),
    WINNER.judging_gains - 0.25 if WINNER.judging_gains is not None else None,
    {"Set5": WINNER.psnr["Set5"] - 0.5},
    {"Set5": 0.9},
)
UNJUDGED = replace(WINNER, judging_trials=(), judging_gains=None, psnr={"Set5": np.array([[32.0, 34.0], [32.5, 34.5]])})


def test_a_verdict_has_the_figures_of_every_seed() -> None:
    verdict = verdict_of(Choice(3, (WINNER, PAPER), ("third",)), ["Set5"], [LEAK])
    assert (verdict.scale, verdict.validation_images, verdict.judging_images) == (3, 2, 2)
    assert [one.configuration for one in verdict.ranked] == ["winner", "paper"]
    assert verdict.failed == ("third",)
    champion = verdict.champion
    assert [(one.seed, one.gain, dict(one.psnr)) for one in champion.chose] == [(2, 1.5, {}), (3, 2.5, {})]
    judged = [(one.seed, one.trial_id, one.gain, one.psnr["Set5"]) for one in champion.judged]
    assert judged == [(4, "w4", 1.5, 33.0), (5, "w5", 2.0, 33.5), (6, "w6", 2.5, 34.0)]
    assert champion.val_gain == 2.0
    assert champion.gain is not None and champion.gain.mean == 2.0
    # The lead is the same from every seed and on every image, so its interval is a point.
    (on_judging, on_set) = verdict.leads
    assert (on_judging.images, on_judging.interval.mean, on_judging.overlap) == (None, 0.25, False)
    assert (on_judging.interval.low, on_judging.interval.high) == (0.25, 0.25)
    assert (on_set.images, on_set.interval.mean, on_set.overlap) == ("Set5", 0.5, True)


def test_a_winner_that_was_not_judged_has_test_figures_of_the_seeds_that_chose_and_no_lead() -> None:
    verdict = verdict_of(Choice(3, (UNJUDGED, PAPER)), ["Set5"])
    assert (verdict.judging_images, verdict.leads, verdict.champion.judged) == (0, (), ())
    assert [one.psnr["Set5"] for one in verdict.champion.chose] == [33.0, 33.5]
    assert verdict.champion.gain is None


def test_the_papers_network_does_not_lead_itself() -> None:
    assert verdict_of(Choice(3, (PAPER,)), ["Set5"]).leads == ()


def test_confirmed_seeds_are_a_line_each() -> None:
    lines = read(
        choices_csv(
            result(*ROWS, choices=(Choice(3, (WINNER, replace(PAPER, judging_trials=(), judging_gains=None))),))
        )
    )
    steps = [(line["place"], line["configuration"], line["step"], line["seed"], line["trial"]) for line in lines]
    assert steps == [
        ("1", "winner", "choose", "2", "w2"),
        ("1", "winner", "choose", "3", "w3"),
        ("1", "winner", "judge", "4", "w4"),
        ("1", "winner", "judge", "5", "w5"),
        ("1", "winner", "judge", "6", "w6"),
        ("2", "paper", "choose", "2", "p2"),
        ("2", "paper", "choose", "3", "p3"),
    ]
    assert [(line["val_gain"], line["gain"]) for line in lines][1:4] == [("2.5000", ""), ("", "1.5000"), ("", "2.0000")]
    assert [line["Set5_psnr"] for line in lines[:3]] == ["", "", "33.0000"]
    judged = lines[2]
    assert float(judged["gain_low"]) < 2.0 < float(judged["gain_high"])
    assert lines[0]["gain_low"] == lines[5]["gain_low"] == ""
    assert choices_csv(result(*ROWS)).count("\n") == 1


def test_the_page_of_a_search_names_best_paper_and_bicubic() -> None:
    rows = (*ROWS, row("paper", 0.25, reference=True, label="the paper's", test={"Set5": (31.0, 0.88)}))
    lines = summary_markdown(result(*rows)).splitlines()
    table = [line for line in lines if line.startswith("| x3")]
    assert table == [
        "| x3 | bicubic | 0.00 | 30.40 / 0.8682 |",
        "| x3 | paper's network: the paper's | +0.50 | 31.00 / 0.8800 |",
        "| x3 | best: mine, of course | +1.50 |  |",
    ]
    assert [line for line in lines if line.startswith("| x2")] == ["| x2 | bicubic | 0.00 | 30.40 / 0.8682 |"]
    assert "5 trials: 3 finished, 1 stopped, 1 failed, 0 interrupted; 61 s." in lines


def test_the_page_of_a_confirmed_search_has_the_judged_figures_its_verdict_and_marks() -> None:
    fields = {
        "choices": (Choice(3, (WINNER, PAPER)),),
        "kept": (LEAK,),
        "notes": ("a note",),
        "champions": ("a title",),
    }
    text = summary_markdown(result(*ROWS, **fields))
    lines = text.splitlines()
    paper, champion = (line for line in lines if line.startswith("| x3") and "bicubic" not in line)
    assert paper.startswith("| x3 | paper's network: paper | 1.750 [") and paper.endswith(" / 0.9000 |")
    # Means of the seeds are 33.0, 33.5 and 34.0: 33.5, and 4.303 * 0.5 / sqrt(3) = 1.24 around it.
    assert champion.startswith("| x3 | champion: winner | 2.000 [")
    assert champion.endswith("| 33.50 [32.26, 34.74] / 0.9100 |")
    assert f"Set5 {MARK} PSNR / SSIM" in text and "t1 shows woman of Set5" in text
    for sentence in verdict_of(Choice(3, (WINNER, PAPER)), ["Set5"], [LEAK]).sentences():
        assert sentence in lines
    assert "a note." in lines and "a title." in lines


def test_a_champion_without_judging_images_is_said_to_be_unjudged() -> None:
    found = result(*ROWS, choices=(Choice(3, (UNJUDGED,)),))
    assert "champion: winner | not judged |" in summary_markdown(found)
    assert MARK not in summary_markdown(found)
    assert math.isnan(ROWS[3].objective)
