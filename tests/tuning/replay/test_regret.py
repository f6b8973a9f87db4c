"""Figures over repetitions, by hand and by Student's formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from srcnn.tuning.replay.regret import bands, mean_regret, median_compute, ratio, share, summarize
from srcnn.tuning.replay.trace import Step, Trace


def trace_of(*steps: tuple[float, float], good: float = 0.02) -> Trace:
    made = [Step(compute, compute, compute, regret, regret <= good) for compute, regret in steps]
    return Trace(made, compute=100.0, trials=4)


def test_figures_of_repetitions() -> None:
    traces = [trace_of((10, 0.5), (20, 0.01)), trace_of((30, 0.0)), trace_of((10, 0.3))]
    found = summarize("m", 1, traces, [5.0, 15.0, 40.0], worst=1.0)
    assert found.reached[0] == pytest.approx(2 / 3)
    # Wilson's interval of 2 of 3, from his formula by hand: centre 0.5693, half width 0.3613.
    assert found.reached[1:] == pytest.approx((0.2077, 0.9385), abs=1e-3)
    assert found.compute[0] == 30
    assert found.compute[2] == math.inf
    assert [r[0] for r in found.regret] == pytest.approx([1.0, (0.5 + 1.0 + 0.3) / 3, (0.01 + 0.0 + 0.3) / 3])
    assert found.regret[0] == (1.0, 1.0, 1.0)
    never = summarize("m", 1, traces[2:] * 2, [5.0], worst=1.0)
    assert never.compute == (math.inf,) * 3
    assert ratio([[trace_of((10, 0.0))] * 3], [[trace_of((40, 0.0))] * 3]) == pytest.approx((0.25, 0.25, 0.25))
    assert all(map(math.isnan, ratio([traces[2:] * 2], [traces[2:] * 2])))
    assert all(map(math.isnan, ratio([[trace_of((10, 0.0))] * 2], [traces[2:] * 2])))  # of one who never arrives
    two = ratio([[trace_of((10, 0.0))] * 3, [trace_of((40, 0.0))] * 3], [[trace_of((40, 0.0))] * 3] * 2)
    assert two == pytest.approx((0.5, 0.5, 0.5))


def test_shares_of_repetitions_have_wilsons_interval() -> None:
    traces = [trace_of((10, 0.5)), trace_of((30, 0.0)), trace_of((10, 0.3))]
    traces[0].lost = traces[0].dropped = traces[2].dropped = True
    found = summarize("m", 1, traces, [5.0], worst=1.0)
    assert found.dropped == pytest.approx((2 / 3, 0.2077, 0.9385), abs=1e-3)
    assert found.lost == pytest.approx((1 / 3, 0.0615, 0.7923), abs=1e-3)  # the complement of the one above
    assert share(0, 100)[2] == pytest.approx(0.0370, abs=1e-4)  # z**2 / (n + z**2)


def test_the_median_of_those_that_arrived_in_half() -> None:
    arrived, never = trace_of((10, 0.0)), trace_of((10, 0.5))
    assert median_compute([arrived, arrived, never]) == 10
    assert median_compute([arrived, never, never]) == math.inf
    assert mean_regret([arrived, arrived], [5.0, 20.0], worst=1.0) == ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def test_the_band_of_a_regret_curve_is_students() -> None:
    """Against the textbook's t(0.975, 2) = 4.303."""
    values = np.array([0.1, 0.2, 0.6])
    band = bands([trace_of((10, float(v))) for v in values], np.array([20.0]), worst=1.0)
    half = 4.303 * values.std(ddof=1) / math.sqrt(3)
    assert (band["mean"][0], band["low"][0], band["high"][0]) == pytest.approx((0.3, 0.3 - half, 0.3 + half), abs=1e-3)


def test_only_dead_networks_so_far_count_as_the_worst() -> None:
    traces = [trace_of((10, math.inf), (30, 0.25)), trace_of((10, 0.5))]
    band = bands(traces, np.array([5.0, 15.0, 40.0]), worst=1.0)
    np.testing.assert_allclose(band["mean"], [1.0, 0.75, 0.375])
    assert np.isfinite(band["low"]).all()
    assert np.isfinite(band["high"]).all()
