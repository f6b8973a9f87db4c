"""Which configurations are trained again, and from which seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srcnn.config.training import TrainConfig
from srcnn.tuning.driver.stage import Stage
from srcnn.tuning.planning.confirmations import ladder
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.choice import Choice, Confirmed
from srcnn.tuning.whole_search.confirmation import choosing, climbing, confirmation_folders, judging


def plan(**fields: Any) -> Plan:
    given = {"name": "s", "space": "space.yaml", "train": "train", "test": ("test",), "validation": 2, "trials": 20}
    given |= {"best": 2, "choice_seeds": 2, "confirm_seeds": 3, "seed": 100, "budget": 9e6, "scales": (2, 3)}
    return plan_search(SearchSettings(**{**given, **fields}))


def row(key: str, best: float, scale: int = 3, outcome: Outcome = Outcome.FINISHED, **fields: Any) -> TrialResult:
    """A trial whose learning rate is told by its key: ``a`` 1e-4, ``b`` 2e-4, ..."""
    rate = 1e-4 * (ord(key[0]) - ord("a") + 1)
    config = TrainConfig(kernels=(5, 1, 3), filters=(8, 8), scale=scale, learning_rate=rate, seed=100)
    report = TrialReport(9, 9, (best,), EpochFigures(best, best_objective=best))
    return TrialResult(key, TrialSpec(config, {"learning_rate": rate, "seed": 100}, **fields), outcome, report)


def trained(stage: Stage | None) -> list[tuple[str, int, int]]:
    """(key, scale, seed) of what a stage trains, in its order."""
    assert stage is not None
    found = []
    for number in range(stage.trials):
        suggested = stage.searcher.suggest(str(number))
        assert isinstance(suggested, dict)
        config = TrialSpec.from_tune(suggested).config
        found.append((chr(ord("a") + round(config.learning_rate / 1e-4) - 1), config.scale, config.seed))
    assert not isinstance(stage.searcher.suggest("one more"), dict)
    return found


def choice(scale: int, rows: Sequence[TrialResult]) -> Choice:
    return Choice(scale, tuple(Confirmed((one,), np.ones((1, 2))) for one in rows))


def test_the_best_of_each_scale_are_trained_again_seed_by_seed(workplace: Path) -> None:
    rows = [row("a", 0.5), row("b", 0.9), row("c", 0.7), row("d", 0.1, scale=2)]
    ours = plan()
    stage = choosing(ours, rows)
    assert stage is not None
    assert (stage.name, stage.folder, stage.stopping) == ("confirm", ours.settings.folder / "confirm-20", "none")
    assert stage.scales == (2, 3)
    # Not configuration by configuration: a stage that is cut short has as many seeds of each.
    assert trained(stage) == [("d", 2, 101), ("b", 3, 101), ("c", 3, 101), ("d", 2, 102), ("b", 3, 102), ("c", 3, 102)]


def test_the_papers_network_is_confirmed_however_it_ranks_and_once(workplace: Path) -> None:
    rows = [row("a", 0.5, reference=True), row("b", 0.9), row("c", 0.7)]
    assert [key for key, _, _ in trained(choosing(plan(), rows, seeds=1))] == ["b", "c", "a"]
    rows[0] = row("a", 0.95, reference=True)
    assert [key for key, _, _ in trained(choosing(plan(), rows, seeds=1))] == ["a", "b"]


def test_trials_that_did_not_finish_are_no_candidates(workplace: Path) -> None:
    """A stopped one's gain is of a smaller budget."""
    rows = [row("a", 0.5), row("b", 0.9, outcome=Outcome.STOPPED), row("c", 0.8, outcome=Outcome.INTERRUPTED)]
    assert [key for key, _, _ in trained(choosing(plan(), rows, seeds=1))] == ["a"]
    assert choosing(plan(), rows[1:]) is None
    assert choosing(plan(), []) is None


@pytest.mark.parametrize(("asked", "budget"), [(None, 9e6), (27e6, 27e6)])
def test_a_confirmation_has_its_own_budget_and_all_else_stays(
    workplace: Path, asked: float | None, budget: float
) -> None:
    stage = choosing(plan(confirm_budget=asked), [row("a", 0.5, label="mine")], seeds=1)
    assert stage is not None
    suggested = stage.searcher.suggest("1")
    assert isinstance(suggested, dict)
    spec = TrialSpec.from_tune(suggested)
    assert (spec.config.pixels, spec.config.epoch_pixels) == (budget, budget / 9)
    assert (spec.config.kernels, spec.config.filters, spec.config.learning_rate) == ((5, 1, 3), (8, 8), 1e-4)
    assert spec.params == {"learning_rate": 1e-4, "seed": 101}


def test_seeds_stay_in_their_range(workplace: Path) -> None:
    last = 2**31 - 1
    assert [seed for _, _, seed in trained(choosing(plan(seed=last), [row("a", 0.5)]))] == [0, 1]


def test_the_winner_and_the_papers_network_are_judged_by_seeds_that_chose_nothing(workplace: Path) -> None:
    ours = plan()
    found = [choice(3, [row("b", 0.9), row("c", 0.8), row("a", 0.5, reference=True)]), choice(2, [row("d", 0.4, 2)])]
    stage = judging(ours, found)
    assert stage is not None
    assert (stage.name, stage.folder) == ("judge", ours.settings.folder / "confirm-20-judge")
    expected = [(key, scale, seed) for seed in (103, 104, 105) for key, scale in (("b", 3), ("a", 3), ("d", 2))]
    assert trained(stage) == expected
    chose = {seed for _, _, seed in trained(choosing(ours, [row("b", 0.9)]))}
    assert chose.isdisjoint(seed for _, _, seed in expected)


def test_a_seed_never_has_two_meanings_where_fewer_chose(workplace: Path) -> None:
    """With less time one seed chose instead of two; the second still does not judge."""
    assert [seed for _, _, seed in trained(judging(plan(), [choice(3, [row("b", 0.9)])], seeds=2))] == [103, 104]


def test_the_papers_network_that_wins_is_judged_once(workplace: Path) -> None:
    found = [choice(3, [row("a", 0.9, reference=True), row("b", 0.8)])]
    assert [key for key, _, _ in trained(judging(plan(), found, seeds=1))] == ["a"]
    assert judging(plan(), []) is None


def test_folders_of_confirmations_are_those_of_every_size_of_the_search(tmp_path: Path) -> None:
    for name in ("confirm-20", "confirm-20-judge", "confirm-20-rung-1", "confirm-50", "snapshots"):
        (tmp_path / name).mkdir()
    (tmp_path / "confirm.csv").write_text("", encoding="utf-8")
    found = [path.name for path in confirmation_folders(tmp_path)]
    assert found == ["confirm-20", "confirm-20-judge", "confirm-20-rung-1", "confirm-50"]
    assert confirmation_folders(tmp_path / "none") == []


def wide(key: str, best: float, width: int, scale: int = 3) -> TrialResult:
    """As `row`, with another architecture."""
    found = row(key, best, scale)
    spec = TrialSpec(found.config.replace(filters=(width, 8)), found.params)
    return TrialResult(key, spec, found.outcome, found.report)


def test_a_rung_trains_its_finalists_once_with_its_own_budget_and_seed(workplace: Path) -> None:
    ours = plan(best=1, confirm_budget=81e6)
    first, second = ladder(ours)
    order = {2: [row("d", 0.1, 2)], 3: [wide("a", 0.9, 64), wide("b", 0.8, 32), wide("c", 0.7, 16), wide("e", 0.6, 8)]}
    stage = climbing(ours, first, order)
    assert stage is not None
    assert (stage.name, stage.folder.name, stage.stopping) == ("confirm", "confirm-20-rung-1", "none")
    suggested = stage.searcher.suggest("1")
    assert isinstance(suggested, dict)
    spec = TrialSpec.from_tune(suggested)
    assert (spec.config.pixels, spec.config.epoch_pixels, spec.tags) == (9e6, 1e6, {"srcnn.rung": "1"})
    # The only candidate at x2 goes on without a trial. Choosing has the seeds 101 and 102, judging 103 to 105.
    assert trained(climbing(ours, first, order)) == [("a", 3, 106), ("b", 3, 106), ("c", 3, 106)]
    assert trained(climbing(ours, second, order)) == [("a", 3, 107), ("b", 3, 107)]
    assert climbing(ours, second, {3: order[3][:1]}) is None


def test_what_climbed_is_confirmed_beside_the_papers_network(workplace: Path) -> None:
    rows = [row("a", 0.5, reference=True), row("b", 0.9), row("d", 0.3, 2)]
    climbed = {3: [row("c", 0.7), row("b", 0.6), row("e", 0.5)]}
    found = [key for key, _, _ in trained(choosing(plan(), rows, seeds=1, climbed=climbed))]
    assert found == ["d", "c", "b", "a"]  # x2 had no rung


def test_twins_are_confirmed_only_where_architectures_are_few(workplace: Path) -> None:
    rows = [wide("a", 0.9, 64), wide("b", 0.8, 64), wide("c", 0.7, 32)]
    assert [key for key, _, _ in trained(choosing(plan(), rows, seeds=1))] == ["a", "c"]
    assert [key for key, _, _ in trained(choosing(plan(), rows[:2], seeds=1))] == ["a", "b"]
