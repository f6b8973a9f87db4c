"""Tables of a search, from runs and seeds whose figures are known."""

from __future__ import annotations

import pytest

from srcnn.tuning.report.data.confirmed import confirmed_at
from srcnn.tuning.report.document.document import Table
from srcnn.tuning.report.sections.search_tables import champions, leaderboard, ranked, seeds
from srcnn.tuning.trials.intervals import Interval
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, ScaleVerdict, SeedFigures

from report_parts import child, search_data

CHOSE = (SeedFigures(8, "c8", 1.5), SeedFigures(9, "c9", 1.75))
JUDGED = tuple(SeedFigures(10 + i, f"c{10 + i}", 1.0 + i / 2, {"Set5": 32.0 + i / 2}) for i in range(3))
WINNER = ConfirmedConfiguration("winner", "winner", False, CHOSE, JUDGED, Interval(1.5, 1.25, 1.75))
PAPER = ConfirmedConfiguration("paper", "paper", True, CHOSE)
DATA = search_data(
    [child("c8", [1.0]), child("c10", [1.0])],
    verdicts=(ScaleVerdict(3, (WINNER, PAPER), validation_images=9, judging_images=10),),
)


def column(table: Table, name: str) -> list[str]:
    place = table.head.index(name)
    return [row[place].text for row in table.rows]


def test_finished_trials_come_first_and_those_without_a_figure_last() -> None:
    runs = [
        child("failed", [], Outcome.FAILED),
        child("cut", [2.0], Outcome.INTERRUPTED),
        child("stopped", [1.5], Outcome.STOPPED),
        child("low", [0.5]),
        child("none", []),
        child("high", [1.0]),
    ]
    order = [one.trial_id for one in ranked(search_data(runs), 3)]
    assert order == ["high", "low", "none", "stopped", "failed", "cut"]
    assert ranked(search_data(runs), 2) == []


def test_confirmed_configurations_have_intervals_only_where_they_were_judged() -> None:
    table = champions(DATA, 3, confirmed_at(DATA, 3))
    assert column(table, "configuration") == ["1. winner", "2. paper (the paper's)"]
    assert column(table, "validation gain (dB)") == ["1.625", "1.625"]
    assert column(table, "gain (dB)") == ["1.500", "–"]
    assert column(table, "gain, 95 %") == ["1.250 to 1.750", "–"]
    # 32.0, 32.5 and 33.0: 4.303 * 0.5 / sqrt(3) = 1.24 around 32.5.
    assert column(table, "Set5, 95 %") == ["31.26 to 33.74", "–"]
    assert [row[0].bold for row in table.rows] == [True, False]
    assert table.rows[0][0].link == DATA.link("c10")
    assert "commit 0123456789" in table.caption and "9 million training pixels" in table.caption


def test_every_seed_is_a_line_and_what_was_not_measured_is_a_dash() -> None:
    table = seeds(DATA, 3, confirmed_at(DATA, 3))
    assert column(table, "seed") == ["8", "9", "10", "11", "12", "8", "9"]
    assert column(table, "step") == [*["chooses"] * 2, *["judges"] * 3, *["chooses"] * 2]
    assert column(table, "gain (dB)")[:3] == ["1.500", "1.750", "1.000"]
    assert column(table, "Set5 PSNR (dB)")[:3] == ["–", "–", "32.00"]
    assert [row[0].link is None for row in table.rows[:3]] == [False, True, False]


def test_a_leaderboard_shows_gains_costs_and_times() -> None:
    paper = child("paper", [0.5, 1.0], reference=True)
    table = leaderboard(search_data([paper, child("dead", [], Outcome.FAILED)]), 3)
    assert column(table, "configuration") == ["trial paper (the paper's)", "trial dead"]
    assert column(table, "gain (dB)") == ["1.000", "–"]
    assert column(table, "of the paper's") == ["0.500", "–"]
    assert column(table, "parameters") == ["8129", "8129"]  # 9-1-5 with 64 and 32 filters: 8032 weights, 97 biases
    assert column(table, "pixels (M)") == ["2.00", "–"]
    assert column(table, "training (s)") == ["–", "–"]
    assert column(table, "outcome") == ["finished", "failed"]
    assert "n = 2 trials (1 finished, 1 failed)" in table.caption


@pytest.mark.parametrize(("count", "said"), [(20, False), (21, True)])
def test_a_long_leaderboard_says_what_the_page_leaves_out(count: int, said: bool) -> None:
    table = leaderboard(search_data([child(str(i), [1.0]) for i in range(count)]), 3)
    assert len(table.rows) == count
    assert table.shown == 20
    assert (f"of {count};" in table.caption) is said


def test_objectives_beside_the_gain_have_columns() -> None:
    table = leaderboard(search_data([child("a", [1.0])], params={"objectives": '["gain", "macs", "latency"]'}), 3)
    assert column(table, "MACs a pixel") == ["8032"]
    assert column(table, "latency (ms)") == ["–"]
