"""One paragraph about a trial, whatever its state, and trials that cannot be found."""

from __future__ import annotations

import pytest

from srcnn.errors import SearchError
from srcnn.tuning.report.sections.why import why
from srcnn.tuning.trials.decision import Decision, decisions_json

from past_store import PastStore

START = Decision("start", 0, "model", 1.05, 0.04, 1.0, "9-5-5 (64-64)", 1e-5, rivals=3)
PAUSE = Decision("pause", 2, "model", 0.98, 0.03, 1.02, "9-5-5 (64-64)", instead="x3 9-3-5 (64-32)", rivals=4)
RESUME = Decision("resume", 2, "model", 1.04, 0.02, 1.02, value=2e-6, rivals=5)


def tag(*decisions: Decision) -> dict[str, str]:
    return {"srcnn.decisions": decisions_json(decisions)}


def test_a_whole_life_is_told_in_the_order_of_its_decisions(past_store: PastStore) -> None:
    past_store.open("mine")
    past_store.trial(
        "t_0", [0.1 * e for e in range(1, 10)], tags=tag(START, PAUSE, RESUME, Decision("finish", 9, "model"))
    )
    past_store.close()
    assert why(past_store.uri, "t_0") == (
        "Trial t_0 of mine, x3 5-1-3 (8-4): It was started because the model chose it; its gain at the end was expected to be "
        "2.10 ± 0.08 dB against 2.00 dB for the best of x3 then, 9-5-5 (64-64), and going on with it was worth 0.072 dB per "
        "core-hour; 3 waiting trials were worth less. It was paused after epoch 2 because x3 9-3-5 (64-32) got its slot, "
        "compared with 4 waiting trials; its gain at the end was expected to be 1.96 ± 0.06 dB against 2.04 dB for the best "
        "of x3 then, 9-5-5 (64-64). It was resumed after epoch 2 before 5 other waiting trials; its gain at the end was expected "
        "to be 2.08 ± 0.04 dB against 2.04 dB for the best of x3 then, and going on with it was worth 0.014 dB per core-hour. It "
        "reached its last epoch, 9. It finished after epoch 9 of 9, with a best gain of 1.80 dB."
    )


@pytest.mark.parametrize(
    ("outcome", "curve", "decisions", "words"),
    [
        (
            "waiting",
            [0.1, 0.2],
            [START, PAUSE],
            "It waits after epoch 2 of 9 for its turn, with a best gain of 0.40 dB.",
        ),
        (
            "stopped",
            [0.1, 0.2],
            [START, PAUSE],
            "It was never resumed: no free slot went to it until the end of the search",
        ),
        (
            "stopped",
            [0.1, 0.2],
            [START, Decision("stop", 2, "model", best=1.0)],
            "the best of x3 then was expected to end at 2.00 dB",
        ),
        ("stopped", [0.1], [Decision("start", 0, "random")], "It was stopped early after epoch 1 of 9"),
        (
            "failed",
            [],
            [Decision("start", 0, "grid")],
            "It failed before its first report: DivergenceError: loss is nan.",
        ),
        (None, [0.1], [Decision("start", 0, "given", note="the paper's network")], "(the paper's network)."),
        ("finished", [0.1] * 9, [Decision("resume", 2, "random")], "by the random share of decisions"),
        ("waiting", [0.1], [Decision("start", 0, "model", 1.0, rivals=1)], "; 1 waiting trial was worth less."),
        ("waiting", [0.1], [Decision("pause", 1, "model", rivals=1)], "after epoch 1, compared with 1 waiting trial."),
        ("finished", [0.1] * 9, [Decision("resume", 2, "model", rivals=1)], "before 1 other waiting trial."),
    ],
)
def test_every_state_has_its_words(
    past_store: PastStore, outcome: str | None, curve: list[float], decisions: list[Decision], words: str
) -> None:
    past_store.open("mine")
    past_store.trial("t0", curve, outcome, tags=tag(*decisions))
    past_store.tracker.flush(10)
    assert words in why(past_store.uri, "t0")


def test_a_running_trial_an_interrupted_one_and_those_without_a_record(past_store: PastStore) -> None:
    past_store.open("mine")
    past_store.trial("r0", [0.1], None)
    past_store.trial("c0", [0.1], stage="confirm")
    past_store.trial("damaged", [0.1], tags={"srcnn.decisions": "[{"})
    past_store.tracker.flush(10)
    assert why(past_store.uri, "r0").endswith("It is running, after epoch 1 of 9, with a best gain of 0.20 dB.")
    past_store.close("KILLED")
    text = why(past_store.uri, "r0")
    assert "no decision about it was recorded, as in searches of earlier versions." in text
    assert "It was interrupted after epoch 1 of 9" in text
    assert "to confirm one of the best configurations from a new seed" in why(past_store.uri, "c0")
    assert "cannot be read by this version" in why(past_store.uri, "damaged")


def test_a_trial_is_found_by_the_beginning_of_its_id_and_by_its_run(past_store: PastStore) -> None:
    past_store.open("mine")
    for key in ("ab_00001", "ab_00002", "abx00001"):
        past_store.trial(key, [0.1])
    past_store.close()
    assert why(past_store.uri, "ab_00002").startswith("Trial ab_00002 of mine")
    assert why(past_store.uri, "abx").startswith("Trial abx00001")
    run_id = past_store.tracker.run_of("ab_00001")
    assert why(past_store.uri, run_id).startswith("Trial ab_00001")
    with pytest.raises(
        SearchError, match=r"^why: 'ab_' must mean one trial, but 2 begin so: ab_0000\d \(run \w+\), ab_0000\d"
    ):
        why(past_store.uri, "ab_")
    for unknown in ("ab_00009", "%", "parent", "a' or '1"):
        with pytest.raises(
            SearchError, match=r"^why: trial .* does not exist; the nearest names are .*ab_0000"
        ) as refused:
            why(past_store.uri, unknown)
        assert "\n" not in str(refused.value)


def test_a_store_without_trials_says_so(past_store: PastStore) -> None:
    with pytest.raises(SearchError, match="why: trial 'x' does not exist; there is none in sqlite"):
        why(past_store.uri, "x")
