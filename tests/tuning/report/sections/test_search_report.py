"""The report of searches of every kind: whole, empty, of one trial, failed, cut short, of several objectives."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image

from srcnn.tuning.report.data.importance import FEWEST
from srcnn.tuning.report.document import escape
from srcnn.tuning.trials.outcome import Outcome

from report_store import VERDICT, Store, table_rows


def test_a_whole_search(whole: Store) -> None:
    folder = whole.folder / "out"
    text = (folder / "report.md").read_text(encoding="utf-8")
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "In short",
        "How sure each choice is",
        "Scale x3",
        "What the search did",
        "Parameters",
        "What was searched",
        "How to run it again",
    ]
    for sentence in VERDICT.sentences():
        assert f"- {escape.markdown(sentence)}." in text
    assert "for people" not in text
    assert "- 1 of: DeadNetworkError: a\\_b died \\| at step 3" in text
    assert (
        "n = 13 trials (11 finished, 1 stopped, 1 failed); budget 9 million training pixels; commit 0123456789" in text
    )
    champions = table_rows(folder / "tables" / "champions-x3.csv")
    assert champions[0]["validation gain (dB)"] == "1.785"
    assert champions[0]["gain (dB)"] == "1.585"
    assert champions[0]["Set5 PSNR (dB)"] == "32.20"
    board = table_rows(folder / "tables" / "leaderboard-x3.csv")
    assert [row["outcome"] for row in board] == [Outcome.FINISHED] * 11 + [Outcome.STOPPED, Outcome.FAILED]
    assert [row["configuration"] for row in board][:2] == ["trial 9", "trial 7"]
    assert board[0]["gain (dB)"] == "1.390" and board[0]["parameters"] == "865" and board[-1]["gain (dB)"] == "–"
    widths = {"curves-x3": 960, "parallel": 960, "timeline": 960} | dict.fromkeys(
        ("importance-x3", "slices-x3", "contour-x3", "best-x3", "compute-x3"), 624
    )
    assert {file.stem for file in (folder / "pictures").iterdir()} == set(widths)
    for name, width in widths.items():
        with Image.open(folder / "pictures" / f"{name}.png") as picture:
            assert abs(picture.width - width) <= 2
        assert f"](pictures/{name}.png)" in text


def test_a_search_of_an_earlier_version(store: Store) -> None:
    """It kept its verdicts in the note and in cells of a table alone: the report says so, and reads neither."""
    store.open("old", objectives="('gain', 'macs')")
    store.trial("a", [0.5, 0.6])
    store.trial("b", [0.5, 0.7], stage="confirm", name="trial a seed 124", seed=124)
    store.tracker.note("x3: a was chosen by 1 new seed on 9 validation images")
    store.tracker.log_text("scale,place,configuration\n3,1,trial a seed 124\n", "confirmed.csv")
    store.tracker.close_search("FINISHED")
    text = (store.write() / "report.md").read_text(encoding="utf-8")
    assert "what it found was not kept as data" in text and "was chosen by" not in text
    assert "others, if there were any, were not kept as data" in text


def test_lower_rungs_are_counted_by_themselves(store: Store) -> None:
    """Their trials have the stage ``confirm``, but smaller budgets: nothing is chosen by them alone."""
    store.open("ladder")
    store.trial("a", [0.5, 0.6])
    for i in range(3):
        store.trial(f"r{i}", [0.5, 0.6], stage="confirm", tags={"srcnn.rung": "1"})
    folder = store.write()
    rows = table_rows(folder / "tables" / "outcomes.csv")
    assert [(row["stage"], row["trials"]) for row in rows] == [("search", "1"), ("confirmation: lower rungs", "3")]
    assert "Confirmations ran" not in (folder / "report.md").read_text(encoding="utf-8")


def test_a_search_without_a_trial(store: Store) -> None:
    store.open("empty")
    text = (store.write() / "report.md").read_text(encoding="utf-8")
    assert "The search has not ended" in text and "There is no trial yet." in text
    source = (store.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "Bokeh" not in source and len(source) < 20_000


def test_one_trial_and_equal_trials(store: Store) -> None:
    store.open("one")
    store.trial("a", [0.5, 0.6])
    text = (store.write() / "report.md").read_text(encoding="utf-8")
    assert f"x3: Importances need {FEWEST} trials with a gain, but 1 trial reported one." in text
    assert "Too few trials to compare parameters in a picture." in text
    assert "**Not sure:** this is one seed, the best of many, so partly luck: nothing was confirmed." in text
    for i in range(FEWEST):
        store.trial(str(i), [0.5, 0.6], n1=8 + 8 * (i % 2))
    text = (store.write() / "report.md").read_text(encoding="utf-8")
    assert "trials have one and the same gain: nothing to explain." in text


def test_nothing_but_failures(store: Store) -> None:
    store.open("dead")
    for i in range(3):
        store.trial(str(i), [], "failed")
    store.tracker.close_search("FAILED")
    text = (store.write() / "report.md").read_text(encoding="utf-8")
    assert "The search failed before its end" in text and "x3: no trial finished." in text
    assert "- 3 of: DeadNetworkError" in text and "so there are no curves" in text


def test_a_search_that_never_ended_and_whose_space_is_gone(store: Store) -> None:
    store.open("cut")
    store.trial("a", [0.5, 0.6])
    store.trial("b", [0.4], None)
    store.tracker.close_search("KILLED")
    (store.folder / "space.yaml").unlink()
    folder = store.write()
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "The search was cut short" in text and "kept no space" in text
    assert [row["outcome"] for row in table_rows(folder / "tables" / "leaderboard-x3.csv")] == [
        "finished",
        "interrupted",
    ]


def test_several_objectives_and_scales(store: Store) -> None:
    store.open("front", objectives='["gain", "macs", "latency"]')
    sizes: Mapping[str, tuple[float, int, int]] = {"small": (0.5, 8, 3), "large": (0.9, 16, 3), "beaten": (0.4, 16, 3)}
    for name, (gain, n1, scale) in {**sizes, "other": (0.3, 16, 2)}.items():
        store.trial(name, [gain / 2, gain], n1=n1, filters=f"{n1}-8", scale=scale)
        store.tracker.log_figures(name, {"latency_ms": float(n1)})
    store.tracker.close_search("FINISHED")
    folder = store.write()
    rows = table_rows(folder / "tables" / "front.csv")
    assert [row["configuration"] for row in rows] == ["trial other", "trial large", "trial small"]
    assert rows[1]["multiply-accumulates a pixel"] == f"{25 * 16 + 16 * 8 + 9 * 8}"
    assert (folder / "pictures" / "front-macs.png").exists() and (folder / "pictures" / "front-latency.png").exists()
    assert (folder / "tables" / "leaderboard-x2.csv").exists()
