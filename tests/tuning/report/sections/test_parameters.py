"""Every scale has its own importances, slices and contour."""

from __future__ import annotations

from srcnn.tuning.report.data.search_data import find_parent, gather
from srcnn.tuning.report.document.document import Figure, Text
from srcnn.tuning.report.sections.parameters import parameters

from report_store import Store


def test_figures_of_a_scale_and_the_reason_where_there_are_none(whole: Store, store: Store) -> None:
    figures = [part for part in parameters(gather(whole.uri, find_parent(whole.uri))) if isinstance(part, Figure)]
    assert [one.name for one in figures] == ["importance-x3", "slices-x3", "contour-x3", "parallel"]
    assert "from 12 trials, 1 of them stopped before the end" in figures[0].caption
    assert "scale" not in figures[0].alt  # it is the same in all of them
    store.open("small")
    store.trial("a", [0.5], n1=8)
    store.trial("b", [0.6], n1=16, scale=2)
    parts = parameters(gather(store.uri, find_parent(store.uri)))
    assert any(isinstance(part, Text) and part.markdown.startswith("x2, x3: Importances need") for part in parts)
