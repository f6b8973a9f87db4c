"""Documents are checked when they are made."""

from __future__ import annotations

import pytest

from srcnn.tuning.report.document.document import Cell, Comparison, Document, Section, Shot, Table


def test_documents_are_checked() -> None:
    table = Table("t", ("a",), ())
    with pytest.raises(ValueError, match="table t: the name must be unique, but occurs 2 times"):
        Document("d", "", (Section("s", (table, table)),))
    with pytest.raises(ValueError, match="the name must consist of letters"):
        Table("../t", ("a",), ())
    with pytest.raises(ValueError, match="has 1 columns, but a row has 2 cells"):
        Table("t", ("a",), ((Cell("1"), Cell("2")),))
    with pytest.raises(ValueError, match="comparison c: must have left, right, but got"):
        Comparison("c", {"left": Shot("l", b""), "other": Shot("o", b"")}, "", "", 4, "left", "right")
