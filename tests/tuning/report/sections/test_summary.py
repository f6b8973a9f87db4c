"""The first section says in words what was searched, what won, how surely, and what it cost."""

from __future__ import annotations

from srcnn.tuning.report.document.document import Text
from srcnn.tuning.report.sections.summary import summary
from srcnn.tuning.trials.intervals import Interval
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, Lead, ScaleVerdict, SeedFigures

from report_parts import child, search_data

CHOSE = (SeedFigures(8, "c8", 1.5), SeedFigures(9, "c9", 1.75))
JUDGED = tuple(SeedFigures(10 + i, f"j{i}", 1.4, {"Set5": 32.5}) for i in range(3))
WINNER = ConfirmedConfiguration("x3 9-3-5", "9-3-5", False, CHOSE, JUDGED, Interval(1.4, 1.2, 1.6))


def said(**fields: object) -> str:
    runs = [
        child("paper", [0.8, 1.0], reference=True),
        child("best", [0.9, 1.1]),
        child("weak", [0.2], Outcome.STOPPED),
        child("dead", [], Outcome.FAILED),
    ]
    tags = {"data.train": "T91", "data.validation": "a, b, c", "srcnn.past": "first (9 trials)"}
    given = {"tags": tags, "params": {"budget": "2000000.0"}, **fields}
    return "\n".join(part.markdown for part in summary(search_data(runs, **given)) if isinstance(part, Text))


def verdict(lead: Interval, **fields: object) -> tuple[ScaleVerdict, ...]:
    given = {"ranked": (WINNER,), "leads": (Lead(None, lead),), **fields}
    return (ScaleVerdict(3, validation_images=3, judging_images=4, **given),)  # type: ignore[arg-type]


def test_what_was_searched_and_what_it_cost() -> None:
    text = said()
    assert "for enlarging by 3: it tried 4 configurations, each with at most 2 million training pixels of T91" in text
    assert "compared them on 3 validation images" in text and "It learnt from past searches: first (9 trials)." in text
    assert "It took 1 min 0 s." in text
    assert "Its 4 trials cost as much as 2.5 full trainings, because 1 of them stopped early." in text
    assert "1 training failed." in text


def test_without_a_confirmation_nothing_is_sure() -> None:
    text = said()
    assert "x3: **trial best** was best. It gains 1.100 dB" in text and "0.100 dB more than the paper's network" in text
    assert "**Not sure:** this is one seed" in text


def test_a_confirmed_winner_is_compared_with_the_paper() -> None:
    text = said(verdicts=verdict(Interval(0.15, 0.07, 0.27)))
    assert (
        "x3: **9-3-5** won. It is **surely better** than the paper's network by 0.15 dB (95 %: 0.07 to 0.27), on judging images "
        "and seeds that did not choose it. It gains 1.40 dB over bicubic (95 %: 1.20 to 1.60). PSNR: 32.50 dB on Set5, the mean "
        "of 3 seeds that took no part in the choice." in text
    )
    text = said(verdicts=verdict(Interval(0.02, -0.05, 0.09)))
    assert "**not surely better** than the paper's network: +0.02 dB (95 %: -0.05 to +0.09, which contains 0)" in text
    text = said(verdicts=verdict(Interval(0.02, -0.05, 0.09), leads=()))
    assert "**Not sure** whether it is better than the paper's network" in text
    paper = ConfirmedConfiguration("x3 9-1-5", "9-1-5", True, CHOSE)
    text = said(verdicts=verdict(Interval(0, -1, 1), ranked=(paper,), leads=()))
    assert "It is the paper's network: nothing better was found. It gains 1.62 dB" in text


def test_a_search_that_has_not_ended_says_so() -> None:
    assert said(status="RUNNING", seconds=None).startswith("**The search has not ended")
    assert said(status="KILLED").startswith("**The search was cut short")
