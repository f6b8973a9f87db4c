"""The time budget of a search: arithmetic on a clock that the tests turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from srcnn.tuning.algorithms.time_budget import (
    Costs,
    Deadline,
    RungSize,
    Size,
    spent_before,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


def sizes(*pairs: tuple[int, int], scales: tuple[int, ...] = (3,)) -> list[Size]:
    return [Size(best, seeds, dict.fromkeys(scales, (best + 1) * seeds)) for best, seeds in pairs]


def make(seconds: float, costs: Costs | None = None, some: list[Size] | None = None, **options: Any) -> Deadline:
    return Deadline(seconds, costs or Costs(), some or [], clock=options.pop("clock", Clock()), **options)


def test_a_confirmation_that_trains_longer_is_given_its_time() -> None:
    """60M pixels a trial in 25 s, 2400M a confirmation: 12 trials of 1000 s."""
    clock = Clock()
    deadline = make(20_000, Costs(ratio=2400 / 60), sizes((3, 3)), clock=clock)
    deadline.note(3, 25.0)
    assert deadline.reserve == pytest.approx(12 * 1000 + 25 / 9)
    clock.now += 20_000 - 12_100
    assert not deadline.over
    clock.now += 100
    assert deadline.over
    size = deadline.last_size()
    assert size is not None and size.count == 12


def test_nothing_is_known_at_first_but_what_was_expected() -> None:
    expected = Costs(full={2: 10.0, 3: 20.0})
    deadline = make(1000, expected, sizes((1, 2), scales=(2, 3)))
    assert deadline.after(deadline.planned) == pytest.approx(4 * 10 + 4 * 20)
    deadline.note_report(3, 8.0, 2, 9)  # reports of this machine count for more than an expectation
    assert deadline.full(3) == pytest.approx(36)
    deadline.note(3, 30.0)
    deadline.note(3, 5.0)  # the longest
    assert deadline.full(3) == 30
    assert deadline.full(2) == 10
    assert make(1000, Costs(full={2: 10.0}), sizes((1, 2))).full(3) == 10  # of another scale, for want of its own


def test_the_reserve_holds_workers_images_and_registry() -> None:
    costs = Costs(slots=2, ratio=2.0, each=1.0, start=8.0, measuring=3.0, closing=7.0, full={3: 10.0})
    deadline = make(10_000, costs, sizes((2, 4)))
    # 12 trials of 21 s on two slots, half a trial idle on one of them; 12 networks to measure on two.
    assert deadline.after(deadline.planned) == pytest.approx(8 + 12 * 21 / 2 + 21 / 4 + 12 * 3 / 2 + 7)
    few = Size(1, 1, {3: 1})
    assert deadline.after(few) == pytest.approx(8 + 21 + 3 / 2 + 7)


def test_the_best_trials_and_the_paper_s_network_tell_how_long_a_confirmation_takes() -> None:
    """Two configurations and the paper's network, two seeds that choose and three that judge."""
    size = Size(2, 3, {3: 12}, references={3: 5})
    deadline = make(10_000, Costs(full={3: 50.0}, ratio=2.0, each=1.0), [size])
    assert deadline.after(size) == pytest.approx(12 * 101)  # nothing is known but an expectation
    deadline.note(3, 4.0, 0.1, reference=True)
    assert deadline.after(size) == pytest.approx(12 * 9)  # the only full trial so far
    deadline.note_report(3, 10.0, 3, 9)
    deadline.note(3, 60.0, 0.1)
    assert deadline.after(size) == pytest.approx(5 * 9 + 7 * 121)
    deadline.note(3, 20.0, 0.3)
    deadline.note(3, 30.0, 0.2)  # the two best take 20 and 30 s; the slower one may win, and be judged
    assert deadline.after(size) == pytest.approx(5 * 9 + 4 * 51 + 3 * 61)
    deadline.note(3, 1.0, float("nan"))
    assert deadline.after(Size(2, 1, {3: 1})) == pytest.approx(61)
    rung = Size(2, 3, {3: 12}, (RungSize({3: 4}, 1.0),), {3: 5})
    assert deadline.after(rung) - deadline.after(size) == pytest.approx(21 + 31 + 61 + 61)  # one unknown: the longest


def test_lower_rungs_take_their_time_one_after_the_other_until_they_are_over() -> None:
    costs = Costs(slots=2, ratio=9.0, each=1.0, start=16.0, rung=8.0, measuring=3.0, full={3: 10.0})
    size = Size(1, 1, {3: 2}, (RungSize({3: 6}, 1.0), RungSize({3: 2}, 3.0)))
    deadline = make(10_000, costs, [size, Size(1, 1, {3: 2}, size.ladder[:1]), Size(1, 1, {3: 2})])
    last = 16 + 2 * 91 / 2 + 91 / 4 + 2 * 3 / 2
    rungs = (8 + 6 * 11 / 2 + 11 / 4, 8 + 2 * 31 / 2 + 31 / 4)
    assert deadline.after(size) == pytest.approx(sum(rungs) + last)
    assert deadline.after(size, done=1) == pytest.approx(rungs[1] + last)
    assert deadline.after(size, done=2) == deadline.after(Size(1, 1, {3: 2})) == pytest.approx(last)
    shorter = deadline.size_within(rungs[0] + last)
    assert shorter is not None and len(shorter.ladder) == 1
    assert "10 trials" in deadline.line(shorter) and "1 of 2 lower rungs" in deadline.line(shorter)
    none = deadline.size_within(last + 1, done=1)
    assert none is not None and "0 of 1 lower rungs" in deadline.line(none, done=1)
    assert deadline.size_within(last + 1, done=2) is size


def test_without_a_confirmation_every_network_is_measured() -> None:
    deadline = make(1000, Costs(slots=2, measuring=3.0, closing=7.0))
    assert deadline.reserve == pytest.approx(7 + 3)
    for _ in range(10):
        deadline.note_network()
    assert deadline.reserve == pytest.approx(7 + 3 + 15)
    assert not make(5, Costs(closing=7.0)).over  # the search keeps a quarter


def test_what_does_not_fit_is_made_smaller_in_order_and_then_left_out() -> None:
    order = sizes((3, 3), (2, 3), (1, 3), (1, 2))
    for seconds, count in (
        (1000, 12),
        (800, 9),
        (500, 6),
        (320, 4),
        (200, None),
    ):  # of which three quarters may be kept
        deadline = make(seconds, Costs(full={3: 60.0}), order)
        found = deadline.planned
        assert (None if found is None else found.count) == count
        line = deadline.line(found)
        assert bool(line) == (found is not order[0])
        assert "\n" not in line
        if found is None:
            assert "there is none" in line
        assert deadline.reserve < seconds
    clock = Clock()
    deadline = make(2000, Costs(full={3: 60.0}), order, clock=clock)
    clock.now += 2000 - 380  # found dearer, or stopped late: what is left decides, with a tenth of the budget to spare
    deadline.note(3, 100.0)
    size = deadline.last_size()
    assert size is not None and (size.best, size.seeds) == (1, 2)
    assert "the best 1 of each scale and 2 seeds" in deadline.line(size)
    deadline.note(3, 1e6)
    assert deadline.last_size() is None


def test_a_search_that_goes_on_has_what_is_left(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "search" / "time.json"
    first = make(100, Costs(), sizes((1, 2)), file=file, clock=clock, spent=10.0)
    clock.now += 30
    first.note(3, 4.0, reference=True)
    first.note(3, 3.0, 0.5)
    first.note_network()
    first.keep()  # and then a kill
    clock.now += 5000  # nothing ran
    assert spent_before(file) == pytest.approx(40)
    second = make(100, Costs(), sizes((1, 2)), file=file, clock=clock, spent=5.0)
    assert second.left == pytest.approx(100 - 40 - 5)
    assert second.full(3) == 4
    only = Size(1, 1, {3: 2}, references={3: 1})
    assert second.after(only) == pytest.approx(4 + 3)
    clock.now += 54
    assert second.over
    second.keep()
    third = make(100, Costs(), sizes((1, 2)), file=file, clock=clock)
    assert third.left == pytest.approx(1)
    clock.now += 50
    assert third.left == 0
    assert third.last_size() is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"spent": "x"}', '{"spent": null, "full_trials": {}, "networks": 0}']
)
def test_a_file_that_is_not_ours_counts_as_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "time.json"
    file.write_text(content, encoding="utf-8")
    assert make(100, file=file).left == 100
    assert json.loads(file.read_text(encoding="utf-8"))["spent"] == 0


@pytest.mark.parametrize(("trials", "seconds"), [(5, 500), (3, 300)])  # 2 that choose and 3 that judge; 3 that judge
def test_a_further_configuration_fits_while_there_is_time_for_all_its_seeds(trials: int, seconds: float) -> None:
    clock = Clock()
    deadline = make(2000, Costs(full={3: 100.0}), sizes((1, 3)), clock=clock)
    clock.now += 1.1 * 2000 - seconds  # with a tenth of the budget to spare
    assert deadline.fits(Size(1, 3, {3: trials}))
    clock.now += 1
    assert not deadline.fits(Size(1, 3, {3: trials}))
