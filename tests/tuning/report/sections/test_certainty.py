"""How sure a choice is, in plain words beside the exact sentences."""

from __future__ import annotations

from srcnn.tuning.report.document.document import Text
from srcnn.tuning.report.sections.certainty import certainty
from srcnn.tuning.trials.intervals import Interval
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, Lead, ScaleVerdict, SeedFigures

from report_parts import child, search_data


def confirmed(name: str, *gains: float, judged: bool = False) -> ConfirmedConfiguration:
    seeds = tuple(SeedFigures(i, f"{name}{i}", gain) for i, gain in enumerate(gains))
    return ConfirmedConfiguration(f"x3 {name}", name, False, seeds, seeds if judged else (), Interval(1, 0, 2))


def said(*ranked: ConfirmedConfiguration, leads: tuple[Lead, ...] = ()) -> str:
    verdict = ScaleVerdict(3, ranked, 3, 4, leads)
    data = search_data([child("a", [1.0])], verdicts=(verdict,))
    return "\n".join(part.markdown for part in certainty(data) if isinstance(part, Text))


def test_a_close_call_and_a_clear_choice() -> None:
    close = said(confirmed("first", 1.0, 1.1, judged=True), confirmed("second", 1.0, 1.05))
    assert (
        "the runner-up, second, is 0.025 dB behind, and a new seed alone changes a gain by 0.056 dB: **a close call**"
        in close
    )
    clear = said(confirmed("first", 1.0, 1.01, judged=True), confirmed("second", 0.5, 0.51))
    assert "a new seed changes a gain by 0.007 dB only: **a clear choice**" in clear
    single = said(confirmed("first", 1.0, judged=True), confirmed("second", 0.9))
    assert "with one seed each, nobody can say whether that is luck" in single


def test_leads_are_said_with_what_would_help() -> None:
    sure = said(confirmed("first", 1.0, judged=True), leads=(Lead(None, Interval(0.2, 0.1, 0.3)),))
    assert "first is **surely better** than the paper's network by 0.20 dB" in sure and "--confirm-seeds" not in sure
    unsure = said(confirmed("first", 1.0, judged=True), leads=(Lead("Set5", Interval(0.2, -0.1, 0.5)),))
    assert "against the paper on Set5: first is **not surely better**" in unsure and "`--confirm-seeds`" in unsure
    assert "over the paper's network, same budget and further seeds" in unsure  # the exact sentence


def test_what_was_not_judged_or_not_confirmed() -> None:
    assert "first was not judged on new seeds" in said(confirmed("first", 1.0))
    nothing = certainty(search_data([child("a", [1.0])], verdicts=()))
    assert isinstance(nothing[0], Text) and "no choice is sure" in nothing[0].markdown
    assert certainty(search_data([])) == ()
