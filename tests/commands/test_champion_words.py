"""The champions of a search in plain words and as data, for figures that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from srcnn.commands.champion_words import champion_words, champions_json
from srcnn.tuning.whole_search.choice import Choice

from planned_search import plan
from search_results import BETTER, NOISY, PAPER, confirmed, result, row
from space_text import GOOD, write


def test_a_champion_in_plain_words() -> None:
    def words(winner: Sequence[Sequence[float]], paper: Sequence[Sequence[float]]) -> str:
        choice = Choice(3, (confirmed("best", winner), confirmed("reference", paper)))
        return champion_words(choice)[0]

    assert words(BETTER, PAPER).startswith("best is surely better than the paper's network by 0.10 dB (0.")
    assert words(PAPER, BETTER).startswith("best is surely worse than the paper's network by 0.10 dB (0.")
    assert words(NOISY, PAPER).startswith("best is not surely better than the paper's network: +0.0")
    assert "; +1.32 dB over bicubic (+" in words(BETTER, PAPER)
    alone = Choice(3, (confirmed("best", BETTER),), ("9-5-5",))
    assert champion_words(alone)[0].startswith("best is the best; the paper's network was not in this search")
    assert champion_words(alone)[1] == "9-5-5 is out, since a seed of it failed"
    itself = Choice(3, (confirmed("reference", PAPER), confirmed("other", NOISY)))
    assert "the paper's network itself was the best" in champion_words(itself)[0]
    unjudged = replace(confirmed("best", BETTER), judging_trials=(), judging_gains=None)
    choice = Choice(3, (unjudged, confirmed("reference", PAPER)))
    assert "it was not compared with the paper's network on images that did not choose it" in champion_words(choice)[0]


def test_networks_with_artefacts_are_named(photos: Path) -> None:
    lost = confirmed("ahead", BETTER)
    one = lost.rows[0]
    assert one.report is not None
    lost = replace(lost, rows=(replace(one, report=replace(one.report, pattern_lead=-7.94)),))
    limit = "more than 1 dB behind bicubic on a drawn pattern"
    assert champion_words(Choice(3, (confirmed("best", PAPER), lost)))[1:] == [
        f"passed over, since {limit}: ahead (7.9 dB)"
    ]
    assert champion_words(Choice(3, (lost, confirmed("best", PAPER))))[1:] == [
        f"ahead is {limit} (7.9 dB): champion.py will refuse it"
    ]


def test_champions_as_data(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    write(photos, GOOD)
    planned = plan(validation=1, judging=1, confirm=False, test=("test",))
    choice = Choice(3, (confirmed("best", BETTER), confirmed("reference", PAPER)))
    (one,) = champions_json(replace(result(planned, row("best", 1.3)), choices=(choice,)))
    assert one["words"] == champion_words(choice)
    assert one["over_paper"]["mean"] == pytest.approx(0.1)
    assert one["test"] == {"test": pytest.approx(31.32)}
    (single,) = champions_json(result(planned, row("best", 0.5), row("other", 0.4)))
    assert single["confirmed"] is False
    assert single["gain"] == {"mean": 0.5, "low": None, "high": None}
