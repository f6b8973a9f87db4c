"""A confirmed configuration beside the pages of its runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from srcnn.tuning.report.data.confirmed import Confirmed, confirmed_at
from srcnn.tuning.trials.intervals import Interval
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, ScaleVerdict, SeedFigures

from report_parts import child, search_data

CHOSE = (SeedFigures(8, "c8", 1.5, {"Set5": 32.0}), SeedFigures(9, "c9", 1.75, {"Set5": 32.5}))
JUDGED = (SeedFigures(10, "c10", 1.0, {"Set5": 31.0}), SeedFigures(11, "c11", 1.5, {}))
WHOLE = ConfirmedConfiguration("winner", "winner", False, CHOSE, JUDGED, Interval(1.25, 1.0, 1.5))
UNJUDGED = ConfirmedConfiguration("paper", "paper", True, CHOSE)
RUNS = [child(key, [1.0]) for key in ("c8", "c9", "c11")]  # the run of c10 is gone


def verdict(scale: int, *ranked: ConfirmedConfiguration) -> ScaleVerdict:
    return ScaleVerdict(scale, ranked, validation_images=9, judging_images=10)


def test_the_seeds_that_judge_count_and_those_that_chose_are_shown() -> None:
    one = Confirmed(search_data(RUNS, verdicts=(verdict(3, WHOLE),)), WHOLE)
    assert one.judged and one.seeds == JUDGED
    assert one.chose.tolist() == [1.5, 1.75]
    assert one.gains.tolist() == [1.0, 1.5]
    assert (one.low, one.high) == (1.0, 1.5)
    assert [(seed.seed, judges) for seed, judges in one.all] == [(8, False), (9, False), (10, True), (11, True)]
    np.testing.assert_array_equal(one.psnr["Set5"], [31.0, np.nan])  # c11 was not measured


def test_every_seed_has_the_page_of_its_run_where_the_store_has_one() -> None:
    data = search_data(RUNS, verdicts=(verdict(3, WHOLE),))
    whole, unjudged = Confirmed(data, WHOLE), Confirmed(data, UNJUDGED)
    assert [link and link.rpartition("/")[2].partition("?")[0] for link in whole.links] == ["c8", "c9", None, "c11"]
    assert whole.link is None  # that of c10, the first that counts
    assert unjudged.link == data.link("c8")
    assert Confirmed(data, replace(WHOLE, judged=JUDGED[1:])).link == data.link("c11")


def test_without_judging_seeds_those_that_chose_count_and_there_is_no_gain() -> None:
    one = Confirmed(search_data(RUNS, verdicts=(verdict(3, UNJUDGED),)), UNJUDGED)
    assert not one.judged and one.seeds == CHOSE
    assert np.isnan(one.gains).all() and one.gains.shape == (2,)
    assert np.isnan([one.low, one.high]).all()
    assert one.psnr["Set5"].tolist() == [32.0, 32.5]


@pytest.mark.parametrize(("scale", "names"), [(2, ["paper"]), (3, ["winner", "paper"]), (4, [])])
def test_the_order_is_that_of_the_choice(scale: int, names: list[str]) -> None:
    data = search_data(RUNS, verdicts=(verdict(2, UNJUDGED), verdict(3, WHOLE, UNJUDGED)))
    assert [one.name for one in confirmed_at(data, scale)] == names


def test_a_search_of_an_earlier_version_kept_none() -> None:
    assert confirmed_at(search_data(RUNS, verdicts=None), 3) == []
