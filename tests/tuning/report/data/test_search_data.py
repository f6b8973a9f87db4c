"""A search out of MLflow: the newest, of a server, unknown kinds."""

from __future__ import annotations

import pytest

from srcnn.errors import SearchError
from srcnn.tuning.report.data.search_data import find_parent, gather
from srcnn.tuning.report.sections.search_report import search_document

from report_store import Store


def test_the_newest_is_reported_and_an_unknown_kind_is_refused(store: Store) -> None:
    store.open("first")
    store.tracker.close_search("FINISHED")
    store.open("second")
    assert store.document().title == "Search second"
    assert store.document("first").title == "Search first"
    store.tracker.client.set_tag(store.tracker.parent_id, "srcnn.kind", "searhc")
    with pytest.raises(SearchError, match="kind of report 'searhc' does not exist; did you mean 'search'"):
        store.document()


def test_links_of_a_server_are_its_own(store: Store) -> None:
    store.open("a")
    data = gather(store.uri, find_parent(store.uri), "https://there:1/")
    assert data.link("r") == f"https://there:1/#/experiments/{data.experiment_id}/runs/r?workflowType=machine_learning"
    assert search_document(data).tables == ()
