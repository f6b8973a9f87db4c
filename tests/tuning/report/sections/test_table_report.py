"""The report of a table, whole, half trained and of one row; figures by hand."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from srcnn.overlap.leaks import MARK, Leak
from srcnn.tuning.report.document.document import Document, Table, Text
from srcnn.tuning.report.sections import table_report
from srcnn.tuning.report.sections.table_report import result_tables, table_document
from srcnn.tuning.trials.outcome import Outcome

from report_parts import table_data, trained

ROWS = ("9-1-5", "9-3-5")
RUNS = [trained(row, seed, 32.0 + 0.2 * seed + (row == "9-3-5")) for row in ROWS for seed in (0, 1)]
BICUBIC = {"Set5/x3/psnr": 30.39, "Set5/x3/psnr/baby": 33.91, "Set5/x3/psnr/bird": 32.58}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They look for networks in a store, and have tests of their own."""
    monkeypatch.setattr(table_report, "_pictures", lambda data: ())


def text(document: Document) -> str:
    return "\n".join(part.markdown for section in document.sections for part in section.parts if isinstance(part, Text))


def table(document: Document, name: str) -> Table:
    (found,) = (one for one in document.tables if one.name == name)
    return found


def rows(found: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in found.rows]


def test_the_papers_figures_stand_beside_ours() -> None:
    document = table_document(table_data(RUNS))
    found = table(document, "kernels-cpu-1")
    assert found.head == ("row", "paper", "ours [95 %]", "ours - paper", "seeds")
    # Seeds of 32.0 and 32.2 dB: 12.706 * 0.1414 / sqrt(2) = 1.27 around 32.1, which is 0.29 below 32.39.
    assert rows(found) == [
        ["bicubic", "", "30.39", "", ""],
        ["9-1-5", "32.39", "32.10 [30.83, 33.37]", "-0.29", "2"],
        ["9-3-5", "32.39", "33.10 [31.83, 34.37]", "+0.71", "2"],
    ]
    assert document.title == "Kernels (kernels-cpu)"
    assert document.subtitle.startswith("Which? n = 4 runs, 2 seeds; 4 million pixels")
    assert "not complete" not in text(document)


def test_one_seed_has_no_interval() -> None:
    found = table(table_document(table_data(RUNS[:1])), "kernels-cpu-1")
    assert rows(found)[1:] == [["9-1-5", "32.39", "32.00", "-0.39", "1"], ["9-3-5", "32.39", "", "", ""]]


@pytest.mark.parametrize("names_of_rows", [ROWS, ROWS[:1]])  # the usual form, and that of a single row
def test_only_a_table_with_figures_of_a_paper_names_their_source(names_of_rows: tuple[str, ...]) -> None:
    data = table_data(RUNS, names_of_rows)
    assert "Source of the paper's figures: nowhere." in table(table_document(data), "kernels-cpu-1").caption
    own = [row.replace(paper={}) for row in data.table.rows]
    document = table_document(replace(data, table=data.table.replace(rows=own, source="none; made here")))
    assert table(document, "kernels-cpu-1").caption.endswith("the interval is Student's, over seeds.")
    assert "**Source:** none; made here" in text(document)


def test_a_table_of_one_row_is_turned() -> None:
    found = table(table_document(table_data(RUNS[:2], ["9-1-5"])), "kernels-cpu-1")
    assert found.head[0] == "9-1-5"
    assert rows(found) == [["Set5 x3, PSNR", "30.39", "32.39", "", "32.10 [30.83, 33.37]", "-0.29", "2"]]


@pytest.mark.parametrize(
    ("status", "outcome", "measured", "said"),
    [
        ("FINISHED", Outcome.FINISHED, True, ""),
        ("FINISHED", Outcome.FAILED, False, ""),
        ("RUNNING", Outcome.FINISHED, True, "its command has not ended"),
        ("FINISHED", Outcome.INTERRUPTED, False, "1 of 5 runs has not ended"),
        ("RUNNING", Outcome.FINISHED, False, "1 of 5 runs has not been measured on the test images"),
    ],
)
def test_a_table_that_is_not_complete_says_why(status: str, outcome: Outcome, measured: bool, said: str) -> None:
    metrics = RUNS[0].metrics if measured else {}
    data = replace(table_data([*RUNS, trained("9-1-5", 2, 32.0, outcome=outcome, metrics=metrics)]), status=status)
    found = text(table_document(data))
    assert (f"**The table is not complete: {said}.**" in found) is bool(said)
    assert ("not complete" in found) is bool(said)


def test_failures_are_named_in_plain_text() -> None:
    failed = replace(trained("9-1-5", 2, 32.0, outcome=Outcome.FAILED, metrics={}), failure="DeadNetworkError: *a_b*")
    document = table_document(table_data([*RUNS, failed]))
    assert r"9-1-5 seed 2: DeadNetworkError: \*a\_b\*" in text(document)
    runs = rows(table(document, "kernels-cpu-runs"))
    assert [(row[0], row[2], row[3]) for row in runs][:3] == [
        ("9-1-5 seed 0", "finished", "32.00"),
        ("9-1-5 seed 1", "finished", "32.20"),
        ("9-1-5 seed 2", "failed", ""),
    ]


def test_a_table_without_a_run_has_a_report() -> None:
    document = table_document(table_data([]))
    found = rows(table(document, "kernels-cpu-1"))
    assert found == [["bicubic", "", "30.39", "", ""], *([row, "32.39", "", "", ""] for row in ROWS)]
    assert [section.title for section in document.sections] == ["Result", "How it was made", "Runs"]


def test_images_are_means_of_the_seeds_under_their_names_in_the_paper() -> None:
    data = replace(table_data(RUNS), given={("bicubic", 3): BICUBIC, ("9-1-5", 3): {"Set5/x3/psnr/baby": 35.0}})
    found = table(table_document(data), "kernels-cpu-images-Set5-x3-psnr")
    assert found.head == ("image", "bicubic", "authors' 9-1-5", "ours, 9-1-5", "ours, 9-3-5")
    assert rows(found) == [
        ["baby", "33.91", "35.00", "32.20", "33.20"],
        ["bird", "32.58", "", "32.00", "33.00"],
    ]


def test_only_figures_of_what_was_trained_on_are_marked() -> None:
    leak = Leak("t1", "baby", "Set5", "test", 0.99, 1.0)
    runs = [replace(one, kept=(leak,)) if one.row == "9-3-5" else one for one in RUNS]
    data = replace(table_data(runs), given={("bicubic", 3): BICUBIC})
    document = table_document(data)
    means = table(document, "kernels-cpu-1")
    assert [MARK in "".join(row) for row in rows(means)] == [False, False, True]
    images = table(document, "kernels-cpu-images-Set5-x3-psnr")
    assert [[MARK in cell for cell in row] for row in rows(images)] == [[False, False, False, True], [False] * 4]
    assert "t1 shows baby of Set5" in means.caption and "t1 shows baby of Set5" in images.caption
    assert MARK not in "".join(one.caption for one in table_document(table_data(RUNS)).tables)


def test_names_from_outside_cannot_become_markdown() -> None:
    data = replace(table_data(RUNS), tags={"device": "a [link](http://there)"})
    assert "[link](" not in text(table_document(data))


def test_the_psnr_of_equal_planes_is_infinite() -> None:
    """A grey test image has equal Cb planes; MLflow stores infinity as the largest float."""
    given = {("bicubic", 3): {"Set5/x3/psnr": sys.float_info.max}}
    (found,) = result_tables(replace(table_data(RUNS), given=given))
    assert rows(found)[0][:3] == ["bicubic", "", "∞"]
