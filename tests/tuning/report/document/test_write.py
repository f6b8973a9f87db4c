"""The files of a document: CSV, LaTeX, and folders that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.errors import DataError
from srcnn.tuning.report.document.document import Cell, Comparison, Document, Section, Shot, Table
from srcnn.tuning.report.document.write import to_csv, to_latex, to_markdown, write


def test_csv_and_latex() -> None:
    rows = tuple((Cell(f"n_{i}", "http://h/r", i == 0), Cell(f"{i} ± 1 – 2")) for i in range(3))
    table = Table("t", ("name", "50 % & #1"), rows, "a $ {b} ~ ^ \\ c", shown=2)
    assert to_csv(table) == "name,50 % & #1\nn_0,0 ± 1 – 2\nn_1,1 ± 1 – 2\nn_2,2 ± 1 – 2\n"
    tex = to_latex(table)
    assert r"\caption{a \$ \{b\} \textasciitilde{} \textasciicircum{} \textbackslash{} c}" in tex
    assert r"name & 50 \% \& \#1 \\" in tex and r"\begin{tabular}{lr}" in tex
    assert r"{}\textbf{n\_0} & 0 $\pm$ 1 -- 2 \\" in tex
    assert "n\\_2" not in tex and "http" not in tex
    for rule in ("toprule", "midrule", "bottomrule"):
        assert tex.count(f"\\{rule}") == 1


def test_pictures_of_a_comparison_are_files_of_their_own(tmp_path: Path) -> None:
    shots = {"a": Shot("bi|cubic", b"1"), "b": Shot("champion", b"2")}
    document = Document("d", "", (Section("s", (Comparison("c", shots, "caption", "Part:", 4, "a", "b"),)),))
    assert to_markdown(document).endswith(
        "| bi\\|cubic | champion |\n| :-: | :-: |\n"
        "| ![Part: bi\\|cubic](pictures/c-a.png) | ![Part: champion](pictures/c-b.png) |"
        "\n\ncaption\n"
    )
    files = {file.name: file for file in write(document, tmp_path)}
    assert (files["c-a.png"].read_bytes(), files["c-b.png"].read_bytes()) == (b"1", b"2")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be written"):
        write(Document("d", "", ()), tmp_path / "file")
