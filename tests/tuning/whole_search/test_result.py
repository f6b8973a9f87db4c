"""What a search found as tables and Markdown; every figure here is computed by hand."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from srcnn.evaluation.protocol import Score
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.whole_search.choice import Choice
from srcnn.tuning.whole_search.result import choices_csv, leaderboard_csv, mean, verdict_of

from result_parts import LEAK, PAPER, ROWS, UNJUDGED, WINNER, result


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_means_are_over_images() -> None:
    assert mean([Score("a", 30.0, 0.8), Score("b", 33.0, 0.9)]) == pytest.approx((31.5, 0.85))


def test_rows_of_a_scale_are_the_finished_ones_best_first() -> None:
    found = result(*ROWS)
    assert [one.trial_id for one in found.of_scale(3)] == ["high", "low"]
    assert found.of_scale(2) == found.of_scale(4) == []
    assert (found.scales, found.sets) == ([2, 3], ["Set5"])
    assert [found.count(kind) for kind in Outcome] == [2, 1, 0, 1, 0]
    assert found.verdicts == ()


def test_a_single_trial_with_artefacts_is_passed_over_unless_they_are_allowed() -> None:
    found = result(*(artefacts(one, -2.6 if one.trial_id == "high" else None) for one in ROWS))
    assert [one.trial_id for one in found.of_scale(3)] == ["low", "high"]
    (line,) = found.artefact_lines(3)
    assert line == "x3: passed over, since more than 1 dB behind bicubic on a drawn pattern: mine, of course (2.6 dB)"
    allowed = replace(found, settings=found.settings.replace(allow_artefacts=True))
    assert [one.trial_id for one in allowed.of_scale(3)] == ["high", "low"]
    assert "mine, of course is more than 1 dB behind" in allowed.artefact_lines(3)[0]
    assert found.artefact_lines(2) == replace(found, choices=(Choice(3, (WINNER,)),)).artefact_lines(3) == []


def artefacts(row: TrialResult, lead: float | None) -> TrialResult:
    return row if row.report is None else replace(row, report=replace(row.report, pattern_lead=lead))


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
