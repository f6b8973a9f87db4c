"""Extrapolation of a learning curve, on curves whose law is known."""

from __future__ import annotations

import importlib
import math
from typing import Any

import pytest

from checkout import EXPERIMENTS

PIXELS = (1e8, 1.8e8, 5.3e8, 1.6e9)


@pytest.fixture
def curves(monkeypatch: pytest.MonkeyPatch) -> Any:
    """experiments/_bench/learning_curve.py."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module("_bench.learning_curve")


def test_a_power_law_is_found_again(curves: Any) -> None:
    found = curves.learning_curve([(p, 2.0 - 0.3 * (p / 1e8) ** -0.5) for p in PIXELS])
    assert found["last"]["power_law"] == pytest.approx(2.0 - 0.3 / 4, abs=1e-3)
    assert [power for _, _, power in found["further"]] == pytest.approx(
        [2.0 - 0.3 * (16 * k) ** -0.5 for k in (3, 10, 100, 1000)], abs=1e-3
    )


def test_a_straight_line_is_found_again(curves: Any) -> None:
    found = curves.learning_curve([(p, 1.0 + 0.04 * math.log(p / 1e8, 3)) for p in PIXELS])
    assert found["per_tripling"] == pytest.approx(0.04)
    assert found["last"]["line"] == pytest.approx(found["last"]["gain"])
    assert found["further"][0][:2] == pytest.approx([4.8e9, found["last"]["gain"] + 0.04])


def test_three_budgets_are_too_few(curves: Any) -> None:
    assert curves.learning_curve([(p, 1.0) for p in PIXELS[:3]]) is None
