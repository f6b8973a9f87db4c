"""A verdict survives its file and says the same sentence afterwards; the figures are those of the search's own arrays."""

from __future__ import annotations

import math
from dataclasses import replace

from srcnn.tuning.trials.intervals import Interval
from srcnn.tuning.trials.verdict import (
    ConfirmedConfiguration,
    Lead,
    ScaleVerdict,
    SeedFigures,
    read_verdicts,
    verdicts_json,
)

WIDE = Interval(0.4, -math.inf, math.inf)
ONE = ConfirmedConfiguration(
    "x3 9-1-5 (64-32) lr 1.0e-03",
    "9-1-5 (64-32) lr 1.0e-03",
    reference=False,
    chose=(SeedFigures(8, "a", 1.5), SeedFigures(9, "b", 1.7)),
    judged=(SeedFigures(10, "c", 1.4, {"Set5": 32.5}),),
    gain=WIDE,
)
TWO = ConfirmedConfiguration("x3 paper", "paper", reference=True, chose=(SeedFigures(8, "d", 1.5),))
WHOLE = ScaleVerdict(
    3,
    (ONE, TWO),
    9,
    10,
    (Lead(None, Interval(0.2, 0.1, 0.3)), Lead("Set5", Interval(-0.2, -0.3, -0.1), overlap=True), Lead("Set14", WIDE)),
    ("9-5-5",),
)


def test_a_verdict_survives_its_file() -> None:
    text = verdicts_json([WHOLE, ScaleVerdict(2, (TWO,), 1, 0)])
    assert "Infinity" not in text  # standard JSON, for other readers
    found = read_verdicts(text)
    assert found == (WHOLE, ScaleVerdict(2, (TWO,), 1, 0))
    assert found[0].sentences() == WHOLE.sentences()
    assert found[0].sets == ["Set5"]


def test_the_sentences() -> None:
    assert WHOLE.sentences() == [
        "x3: 9-1-5 (64-32) lr 1.0e-03 was chosen by 2 new seeds on 9 validation images, where paper is 0.100 dB behind "
        "(no test: these figures chose)",
        "x3: judged by 1 further seed on 10 judging images, it gains +0.400 (no interval from one figure) dB over bicubic",
        "x3: over the paper's network, same budget and further seeds: +0.200 [+0.100, +0.300] dB on the judging images, "
        "surely ahead; -0.200 [-0.300, -0.100] dB on Set5 †, surely behind; +0.400 (no interval from one figure) dB on Set14, "
        "not sure",
        "x3: 9-5-5 is out, since a seed of it failed",
    ]
    assert "it was not judged" in ScaleVerdict(2, (TWO,), 1, 0).sentences()[1]


def test_no_file_and_a_file_of_another_version_hold_nothing() -> None:
    assert read_verdicts(None) is None
    assert read_verdicts('{"version": 99, "verdicts": [{"form": "unknown"}]}') is None


def test_artefacts_are_said_and_the_runner_up_is_not_one_that_was_passed_over() -> None:
    ahead = replace(ONE, configuration="ahead", chose=(SeedFigures(8, "e", 2.0),), pattern_lead=-7.94)
    behind = replace(ONE, configuration="behind", pattern_lead=-1.2)  # allowed, so it was not passed over
    verdict = ScaleVerdict(3, (replace(ONE, pattern_lead=-1.0), ahead, TWO, behind), 9, 10, passed_over=("ahead",))
    assert verdict.runner_up == TWO
    said = verdict.sentences()
    assert "where paper is 0.100 dB behind" in said[0]
    assert said[-1] == ("x3: passed over, since more than 1 dB behind bicubic on a drawn pattern: ahead (7.9 dB)")
    assert read_verdicts(verdicts_json([verdict])) == (verdict,)
    namesake = replace(TWO, configuration="ahead", pattern_lead=0.1)  # another loss, the same name
    both = ScaleVerdict(3, (ONE, ahead, namesake), 9, 10, passed_over=("ahead",))
    assert both.runner_up == namesake
    assert both.sentences()[-1] == said[-1]
    alone = ScaleVerdict(3, (ahead,), 9, 10)
    assert (alone.runner_up, alone.sentences()[-1]) == (
        None,
        "x3: ahead is more than 1 dB behind bicubic on a drawn pattern (7.9 dB): champion.py will refuse it",
    )


def test_a_file_of_an_earlier_search_has_no_lead_on_drawn_patterns() -> None:
    data = WHOLE.to_json()
    del data["passed_over"]
    for one in data["ranked"]:
        del one["pattern_lead"]
    assert ScaleVerdict.from_json(data) == WHOLE
