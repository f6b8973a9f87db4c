"""What the end of a search costs, from its plan and the speed of the machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from srcnn.errors import ConfigError
from srcnn.imaging.image_files import read_image, write_image
from srcnn.tuning.planning.confirmations import confirmation_sizes
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.planning.speed import Probe, Speed
from srcnn.tuning.planning.time_costs import check_ladder, deadline_of, end_costs, time_file

#: A step takes 2 ms for a million multiply-accumulates, a look 1e-4 s a pixel, SSIM 1e-5.
SPEED = Speed(
    "a device", False, 1, (Probe("small", 1e6, 0.002, 1e3, 1e-4), Probe("large", 1e9, 2.0, 1e5, 1e-4)), 0.0, 1e-5
)


def plan(**fields: Any) -> Plan:
    given = {"name": "x", "space": "space.yaml", "train": "train", "test": ("test",), "validation": 2, "budget": 60e6}
    return plan_search(SearchSettings(**{**given, "enqueue": (), "time_budget": 3e8, **fields}))


def test_a_long_confirmation_is_forty_times_a_short_one_s_training(workplace: Path) -> None:
    """--budget 60M --confirm-budget 2400M."""
    short, long = (deadline_of(plan(confirm_budget=budget, ladder="none"), SPEED, 1) for budget in (None, 2400e6))
    assert short is not None and long is not None
    sizes = confirmation_sizes(plan())
    expected = sum(39 * count * short.full(scale) for scale, count in sizes[0].trials.items())
    assert long.after(sizes[0]) - short.after(sizes[0]) == pytest.approx(expected)
    assert long.reserve - short.reserve == pytest.approx(expected)
    for deadline in (short, long):
        assert deadline.full(2) > 100  # from the speed alone: no trial has run
        assert deadline.planned == sizes[0]
    assert long.after(sizes[0]) > 40 * sum(count * short.full(scale) for scale, count in sizes[0].trials.items())


def test_test_images_count_by_their_pixels(workplace: Path) -> None:
    few = end_costs(plan(), SPEED, 1)
    for file in list((workplace / "test").iterdir()):
        for i in range(9):
            write_image(workplace / "test" / f"{i}-{file.name}", read_image(file))
    many = end_costs(plan(), SPEED, 1)
    pixels = 2 * 96 * 96
    assert many.measuring - few.measuring == pytest.approx(9 * pixels * (1e-4 + 1e-5))
    assert many.closing > few.closing
    unknown = end_costs(plan(), None, 1)
    assert unknown.measuring > 0  # by the pixels as well
    assert not unknown.full


def test_only_a_search_with_a_budget_has_a_deadline(workplace: Path) -> None:
    assert deadline_of(plan(time_budget=None), SPEED, 1) is None
    ours = plan(time_budget=100.0)
    file = time_file(ours)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"spent": 60.0, "full_trials": {"2": 1.0}, "networks": 3}), encoding="utf-8")
    deadline = deadline_of(ours, SPEED, 1, file=file)
    assert deadline is not None
    assert 39 <= deadline.left <= 40
    assert deadline.full(2) == 1.0


def test_the_ladder_is_reserved_and_a_given_one_must_fit(workplace: Path) -> None:
    long = {"confirm_budget": 2400e6, "choice_seeds": 2}
    with_rungs, without = (deadline_of(plan(**long, ladder=text), SPEED, 1) for text in ("auto", "none"))
    assert with_rungs is not None and without is not None and with_rungs.asked is not None
    rungs = with_rungs.asked.ladder
    more = sum(sum(n * r.ratio * without.full(scale) for scale, n in r.trials.items()) for r in rungs)
    assert with_rungs.reserve - without.reserve == pytest.approx(more, rel=1e-3)
    assert with_rungs.after(with_rungs.asked, done=len(rungs)) == pytest.approx(without.after(without.asked))

    def short(text: str) -> Plan:
        assert with_rungs is not None
        return plan(**long, ladder=text, time_budget=1.2 * without.after(without.asked))

    automatic = deadline_of(short("auto"), SPEED, 1)
    check_ladder(short("auto"), automatic)  # made shorter instead
    assert automatic is not None and automatic.planned is not None and not automatic.planned.ladder
    assert "0 of 2 lower rungs, the best" in automatic.line(automatic.planned)
    with pytest.raises(
        ConfigError, match=r"^ladder: .* three quarters of the time budget, \d+ s, but got '9,5', which"
    ):
        check_ladder(short("9,5"), deadline_of(short("9,5"), SPEED, 1))
    check_ladder(plan(**long, ladder="9,5"), deadline_of(plan(**long, ladder="9,5"), SPEED, 1))
    check_ladder(short("none"), deadline_of(short("none"), SPEED, 1))
