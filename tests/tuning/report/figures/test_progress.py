"""The alternative texts of both figures have their last values."""

from __future__ import annotations

from srcnn.tuning.report.data.progress import RandomDraws, progress
from srcnn.tuning.report.figures.progress import best_figure, compute_figure

from report_parts import PNG, child, timed

RUNS = [timed(child("a", [0.5, 0.9]), 0, [10, 30], 30), timed(child("b", [0.7, 0.95]), 0, [20, 40], 40)]


def test_best_so_far_and_compute() -> None:
    found = progress(RUNS, 2e6, 0)
    assert found is not None
    first = best_figure(found, "best", "", 0.8)
    assert first.png.startswith(PNG) and first.half
    assert first.alt == "Best gain so far, from 0.500 to 0.950 dB; 4 trials led, at last trial b."
    second = compute_figure(found, RandomDraws((0.5, 0.7), True, 0), "compute", "")
    assert second.alt == (
        "Best gain against compute: 0.950 dB after 2.0 full trainings; random search would expect 0.650 dB."
    )
    assert compute_figure(found, None, "compute", "").alt.endswith("after 2.0 full trainings.")


def test_one_bad_report_is_a_picture_too() -> None:
    found = progress([timed(child("a", [-30.0]), 0, [8000], 8000)], 2e6, 0)
    assert found is not None
    assert best_figure(found, "best", "", None).png.startswith(PNG)
