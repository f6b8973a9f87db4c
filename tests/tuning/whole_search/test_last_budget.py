"""The last budget of a confirmation: artefacts rule winners out until one has none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import srcnn.tuning.whole_search.choice as choice_module
from srcnn.config.training import TrainConfig
from srcnn.tuning.algorithms.time_budget import Size
from srcnn.tuning.driver.stage import Stage
from srcnn.tuning.planning.confirmations import MOST_FURTHER, further_confirmations
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.choice import Choice
from srcnn.tuning.whole_search.confirmation import choosing, finalists
from srcnn.tuning.whole_search.last_budget import confirm, displaced_notes

from planned_search import plan as planned

GAINS = {"a": 1.0, "b": 0.9, "c": 0.8, "d": 0.7, "e": 0.6, "f": 0.5, "r": 0.1}  # of the configurations, in dB
FAILS = -2.5


def plan(**fields: Any) -> Plan:
    return planned(**{"scales": (3,), "best": 1, "choice_seeds": 1, "confirm_seeds": 2, "seed": 100, **fields})


def key_of(config: TrainConfig) -> str:
    return chr(config.filters[0])


def row(key: str, outcome: Outcome = Outcome.FINISHED, lead: float | None = None, scale: int = 3) -> TrialResult:
    """A trial of the search, whose first layer has as many filters as the code of its key."""
    config = TrainConfig(kernels=(5, 1, 3), filters=(ord(key), 8), scale=scale, seed=100)
    return ended(TrialSpec(config, {}, key == "r"), outcome, lead)


def ended(spec: TrialSpec, outcome: Outcome = Outcome.FINISHED, lead: float | None = None) -> TrialResult:
    gain = GAINS[key_of(spec.config)]
    report = TrialReport(9, 9, (gain,), EpochFigures(gain, best_objective=gain), pattern_lead=lead)
    return TrialResult(f"{key_of(spec.config)}{spec.config.seed}-{spec.scale}", spec, outcome, report)


class Training:
    """Trains nothing: gives every trial of a stage the lead of its configuration, or of its configuration and seed."""

    def __init__(self, leads: Mapping[str, float | None], stop_at: int = 10**6) -> None:
        self.leads, self.stages, self.stop_at = leads, list[tuple[str, str]](), stop_at

    def __call__(self, stage: Stage) -> list[TrialResult] | None:
        found = []
        for number in range(stage.trials):
            suggested = stage.searcher.suggest(str(number))
            assert isinstance(suggested, dict)
            spec = TrialSpec.from_tune(suggested)
            key = key_of(spec.config)
            lead = self.leads.get(
                f"{key}{spec.config.seed}", self.leads.get(f"{key}x{spec.scale}", self.leads.get(key))
            )
            outcome = Outcome.FAILED if lead == 0 else Outcome.FINISHED
            found.append(ended(spec, outcome, lead))
        self.stages.append((stage.folder.name.partition("-50")[2], "".join(key_of(one.config) for one in found)))
        return None if len(self.stages) == self.stop_at else found


@pytest.fixture(autouse=True)
def _no_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    def gains(rows: Sequence[TrialResult], images: object) -> dict[str, Any]:
        return {one.trial_id: np.full(2, GAINS[key_of(one.config)]) for one in rows}

    monkeypatch.setattr(choice_module, "_gains", gains)


def decide(
    ours: Plan,
    rows: Sequence[TrialResult],
    training: Training,
    *,
    time: int = 99,
    begun: Callable[[Stage], bool] = lambda stage: False,
) -> tuple[list[Choice], list[str]]:
    """``time``: number of stages besides the first two for which there is time; ``begun``: before a resume."""
    given = iter([True] * time + [False] * 99)

    def time_for(stage: Stage, size: Size) -> bool:
        return next(given)

    first = choosing(ours, rows)
    assert first is not None
    return confirm(ours, first, ours.settings.confirm_seeds, finalists(ours, rows, {}), training, time_for, begun)


def ranks(choice: Choice) -> str:
    return "".join(key_of(one.rows[0].config) for one in choice.ranked)


@pytest.mark.parametrize(
    ("leads", "stages", "ranked"),
    [
        ({}, [("", "ar"), ("-judge", "arar")], "ar"),  # not measured, as in an earlier search
        ({"a": -1.0, "r": 0.3}, [("", "ar"), ("-judge", "arar")], "ar"),
        ({"a": FAILS}, [("", "ar"), ("-further-1", "b"), ("-judge", "brbr")], "bra"),
        # Only a judging seed fails: b takes the place, and the paper's network is not judged twice.
        ({"a102": FAILS}, [("", "ar"), ("-judge", "arar"), ("-further-1", "b"), ("-judge-2", "bb")], "bra"),
        (
            {"a102": FAILS, "b": FAILS, "c103": FAILS},
            [
                *[("", "ar"), ("-judge", "arar"), ("-further-1", "b"), ("-further-2", "c"), ("-judge-2", "cc")],
                *[("-further-3", "d"), ("-judge-3", "dd")],
            ],
            "drabc",
        ),
        # A further one that fails in its training is out, and the next one follows.
        ({"a": FAILS, "b": 0}, [("", "ar"), ("-further-1", "b"), ("-further-2", "c"), ("-judge", "crcr")], "cra"),
        # All that may be trained fail: the paper's network, which does not, wins.
        (
            dict.fromkeys("abcde", FAILS),
            [("", "ar"), ("-further-1", "b"), ("-further-2", "c"), ("-further-3", "d"), ("-judge", "rr")],
            "rabcd",
        ),
        # All fail: the best is still named, and judged.
        (
            dict.fromkeys("abcder", FAILS),
            [("", "ar"), ("-further-1", "b"), ("-further-2", "c"), ("-further-3", "d"), ("-judge", "arar")],
            "abcdr",
        ),
    ],
)
def test_artefacts_rule_winners_out_until_one_has_none(
    workplace: Path, leads: dict[str, float | None], stages: list[tuple[str, str]], ranked: str
) -> None:
    rows = [row(key) for key in GAINS]
    training = Training(leads)
    (found,), notes = decide(plan(), rows, training)
    assert training.stages == stages
    assert (ranks(found), notes) == (ranked, [])
    again = Training(leads)  # what is decided follows from the results alone
    decide(plan(), rows, again)
    assert again.stages == stages


@pytest.mark.parametrize("best", [1, 2])
def test_no_more_are_trained_than_a_plan_says(workplace: Path, best: int) -> None:
    """All fail, and each one only in a judging seed, so that as many as possible are chosen and judged."""
    ours, rows = plan(best=best, trials=len(GAINS)), [row(key) for key in GAINS]
    training = Training({f"{key}103": FAILS for key in GAINS})
    decide(ours, rows, training)
    usual = (best + 1) * 1 + (1 + 1) * 2  # with the paper's network: one seed of choosing, two of judging
    assert sum(len(keys) for _, keys in training.stages) == usual + further_confirmations(ours)
    assert MOST_FURTHER == 3


def test_confirmed_ones_follow_before_further_ones_are_trained(workplace: Path) -> None:
    training = Training({"a102": FAILS})
    (found,), _ = decide(plan(best=2), [row(key) for key in "abcr"], training)
    assert training.stages == [("", "abr"), ("-judge", "arar"), ("-judge-2", "bb")]
    assert ranks(found) == "bra"
    assert [one.rows[0].spec.configuration for one in found.passed_over] == [row("a").spec.configuration]
    assert (found.winner.pattern_lead, found.passed_over[0].pattern_lead) == (None, FAILS)


def test_scales_decide_by_themselves_in_common_stages(workplace: Path) -> None:
    rows = [row(key, scale=scale) for scale in (2, 3) for key in "abr"]
    training = Training({"ax2": FAILS})
    two, three = decide(plan(scales=(2, 3)), rows, training)[0]
    assert training.stages == [("", "arar"), ("-further-1", "b"), ("-judge", "brarbrar")]
    assert (ranks(two), ranks(three)) == ("bra", "ar")


def test_artefacts_may_be_allowed(workplace: Path) -> None:
    training = Training({"a": FAILS})
    (found,), _ = decide(plan(allow_artefacts=True), [row(key) for key in "abr"], training)
    assert (training.stages, ranks(found), found.passed_over) == ([("", "ar"), ("-judge", "arar")], "ar", ())
    (found,), _ = decide(plan(allow_artefacts=True), [row(key) for key in "abr"], Training({"r": FAILS}))
    assert (ranks(found), found.passed_over) == ("ar", ())


def test_without_time_the_choice_is_among_those_that_were_trained(workplace: Path) -> None:
    training = Training({"a": FAILS})
    (found,), (note,) = decide(plan(), [row(key) for key in "abr"], training, time=0)
    assert (training.stages, ranks(found)) == ([("", "ar"), ("-judge", "rr")], "ra")
    assert "x3" in note
    assert note.startswith("time_budget: ")
    assert note.endswith("(2.5 dB); no time is left to train 5-1-3 (98-8) lr 5.0e-04 instead")
    training = Training({"a102": FAILS})
    _, (note,) = decide(plan(best=2), [row(key) for key in "abr"], training, time=0)
    assert [name for name, _ in training.stages] == ["", "-judge"]
    assert note == "time_budget: no time is left to judge the next configuration"


@pytest.mark.parametrize(("stop_at", "ranked"), [(1, []), (2, ["ra"]), (3, ["bra"])])
def test_an_interrupt_leaves_the_choice_so_far(workplace: Path, stop_at: int, ranked: list[str]) -> None:
    choices, _ = decide(plan(), [row(key) for key in "abr"], Training({"a": FAILS}, stop_at))
    assert [ranks(one) for one in choices] == ranked


def test_each_further_one_is_said_as_it_begins(workplace: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        decide(plan(), [row(key) for key in "abr"], Training({"a": FAILS}))
    assert caplog.messages == [
        "x3: more than 1 dB behind bicubic on a drawn pattern: 5-1-3 (97-8) lr 5.0e-04 (2.5 dB); so 5-1-3 (98-8) lr 5.0e-04 "
        "is trained with the last budget too"
    ]


def test_after_a_resume_the_lines_say_which_further_ones_had_begun(
    workplace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        rows = [row(key) for key in "abcr"]
        decide(plan(), rows, Training({"a": FAILS, "b": FAILS}), begun=lambda stage: stage.folder.name.endswith("-1"))
    limit = "x3: more than 1 dB behind bicubic on a drawn pattern"
    assert caplog.messages == [
        f"resumed: {limit}: 5-1-3 (97-8) lr 5.0e-04 (2.5 dB); so the training of 5-1-3 (98-8) lr 5.0e-04 with the last budget "
        "had begun",
        f"{limit}: 5-1-3 (97-8) lr 5.0e-04 (2.5 dB), 5-1-3 (98-8) lr 5.0e-04 (2.5 dB); so 5-1-3 (99-8) lr 5.0e-04 "
        "is trained with the last budget too",
    ]


def test_what_did_not_go_on_is_said(workplace: Path) -> None:
    failing, sound = row("a", lead=FAILS), row("b", lead=0.2)
    assert displaced_notes({3: [failing, sound]}, {3: [sound, failing]}, 1, "rung 1") == [
        f"rung 1: passed over, since more than 1 dB behind bicubic on a drawn pattern: {failing.name} (2.5 dB)"
    ]
    assert displaced_notes({3: [failing, sound]}, {3: [sound, failing]}, 2, "rung 1") == []
