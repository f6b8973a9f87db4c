"""What is read off one repetition."""

from __future__ import annotations

import math

import pytest

from srcnn.tuning.replay.trace import Step, Trace


def test_the_regret_is_that_of_the_incumbent_at_the_time() -> None:
    steps = [
        Step(10, 1, 1, math.inf, False),
        Step(20, 2, 2, 0.3, False),
        Step(30, 3, 3, 0.01, True),
        Step(40, 4, 4, 0.2, False),
    ]
    trace = Trace(steps, compute=50.0)
    assert trace.reached() is steps[2]
    assert Trace(steps[:2]).reached() is None
    assert [trace.regret(compute, worst=1.0) for compute in (5, 10, 25, 30, 100)] == pytest.approx(
        [1, 1, 0.3, 0.01, 0.2]
    )
