"""Importances find the parameter that matters."""

from __future__ import annotations

import pytest

from srcnn.tuning.report.data.importance import importances
from srcnn.tuning.report.data.search_data import find_parent, gather

from report_store import Store


def test_importances_find_what_matters(whole: Store) -> None:
    data = gather(whole.uri, find_parent(whole.uri))
    found = importances(data.space, data.children)
    assert found.method == "fANOVA" and found.count == 11
    assert next(iter(found.shares)) == "kernels"
    assert sum(found.shares.values()) == pytest.approx(1)
