"""Who climbs: the order of candidates, twins, and the order after a rung."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from srcnn.config.training import TrainConfig
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.ladder import after_rung, candidates, displaced, distinct_first, places

from planned_search import plan as planned


def plan(**fields: Any) -> Plan:
    return planned(**{"scales": (3,), **fields})


def row(
    key: str, width: int, *curve: float, outcome: Outcome = Outcome.FINISHED, reference: bool = False
) -> TrialResult:
    """A trial of 5-1-3 (width-8), whose learning rate is told by the second letter of its key: ``wa`` 1e-4, ``wb`` 2e-4."""
    rate = 1e-4 * (ord(key[1]) - ord("a") + 1)
    config = TrainConfig(kernels=(5, 1, 3), filters=(width, 8), scale=3, learning_rate=rate, seed=1)
    report = TrialReport(len(curve), 3, curve, EpochFigures(curve[-1], best_objective=max(curve))) if curve else None
    return TrialResult(key, TrialSpec(config, {"learning_rate": rate}, reference), outcome, report)


def keys(rows: Any) -> list[str]:
    return [one.trial_id for one in rows]


def test_three_rates_of_one_architecture_are_one_finalist(workplace: Path) -> None:
    """The first three of a real search were one architecture at 3.1e-4, 3.4e-4 and 3.9e-4."""
    rows = [row("xa", 64, 0.90), row("xb", 64, 0.95), row("xc", 64, 0.93), row("ya", 32, 0.8), row("za", 16, 0.7)]
    assert keys(candidates(plan(), rows)[3]) == ["xb", "ya", "za", "xc", "xa"]
    assert keys(distinct_first([rows[0], rows[1], rows[3]])) == ["xa", "ya", "xb"]  # the order given, not the results


def test_trials_that_did_not_finish_follow_by_their_expected_end(workplace: Path) -> None:
    stopped = Outcome.STOPPED
    finished = [row("fa", 64, 0.1, 0.4, 0.9), row("ga", 60, 0.2, 0.5, 0.8)]
    rows = [
        row("va", 8, 0.6, 0.7, outcome=stopped),  # 0.7 and a median of 0.4 from epoch 2 on
        row(
            "wa", 12, 0.5, outcome=stopped
        ),  # 0.5 and a median of 0.7 from epoch 1 on: ahead, though its value is lower
        row("xa", 16, 0.55, outcome=Outcome.INTERRUPTED),
        row("ya", 20, outcome=Outcome.INTERRUPTED),  # no report
        row("za", 24, 0.99, outcome=Outcome.FAILED),
    ]
    assert keys(candidates(plan(), [*rows, *finished])[3]) == ["fa", "ga", "xa", "wa", "va"]
    assert keys(candidates(plan(), rows)[3]) == ["va", "xa", "wa"]  # none finished: by the last value
    assert keys(candidates(plan(), [])[3]) == []


def test_the_papers_network_needs_no_rung_but_its_better_twin_does(workplace: Path) -> None:
    reference = row("ra", 64, 0.8, reference=True)
    assert keys(candidates(plan(), [reference, row("rb", 64, 0.9), row("ya", 32, 0.7)])[3]) == ["rb", "ya"]
    assert keys(candidates(plan(), [reference, row("rb", 64, 0.7), row("ya", 32, 0.6)])[3]) == ["ya", "rb"]


def test_a_rung_decides_by_its_own_results_and_failed_trials_drop_out(workplace: Path) -> None:
    order = candidates(plan(), [row("xa", 64, 0.9), row("ya", 32, 0.8), row("za", 16, 0.7), row("wa", 8, 0.6)])
    results = [row("xa", 64, 0.5), row("ya", 32, 0.4, outcome=Outcome.FAILED), row("za", 16, 0.6)]
    assert keys(after_rung(order, results)[3]) == ["za", "xa"]
    assert after_rung(order, []) == order
    assert after_rung(order, [row("ya", 32, 0.4, outcome=Outcome.FAILED)]) == order
    twins = [row("xa", 64, 0.5), row("xb", 64, 0.6), row("za", 16, 0.4)]
    assert keys(after_rung(order, twins)[3]) == ["xb", "za", "xa"]


def test_artefacts_come_behind_everything_that_has_none(workplace: Path) -> None:
    failing = replace(row("xa", 64, 0.9), report=TrialReport(3, 3, (0.9,), EpochFigures(0.9, 0.9), pattern_lead=-2.6))
    twin, other, begun = row("xb", 64, 0.8), row("ya", 32, 0.7), row("za", 16, 0.5, outcome=Outcome.STOPPED)
    rows = [failing, twin, other, begun]
    assert keys(places(rows)) == keys(candidates(plan(), rows)[3]) == ["xb", "ya", "za", "xa"]
    assert keys(places(rows, allow_artefacts=True)) == ["xa", "ya", "za", "xb"]
    assert keys(candidates(plan(allow_artefacts=True), rows)[3]) == ["xa", "ya", "za", "xb"]
    assert keys(after_rung({3: rows}, rows)[3]) == ["xb", "ya", "xa"]
    assert keys(after_rung({3: rows}, rows, allow_artefacts=True)[3]) == ["xa", "ya", "xb"]
    allowed, order = ({3: places(rows, allow_artefacts=one)} for one in (True, False))
    assert displaced(allowed, order, 3) == {3: [failing]}
    assert displaced(allowed, order, 4) == displaced(allowed, allowed, 1) == {}
