"""Operations of the write-ahead log keep their form on disk, so that a search of an earlier version can be resumed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from srcnn.tuning.tracking.operations import (
    CreateRun,
    EndRun,
    LogFile,
    LogMetrics,
    LogText,
    Operation,
    SetStatus,
    SetTags,
    from_json,
)

DATASET = {"name": "T91", "digest": "abc", "images": "9"}
#: The operations, and their lines as earlier versions wrote them.
KNOWN: list[tuple[Operation, dict[str, Any]]] = [
    (
        CreateRun("a", "x3", {"n1": "8"}, {"stage": "search"}, DATASET, 5),
        {
            "do": "run",
            "trial": "a",
            "name": "x3",
            "params": {"n1": "8"},
            "tags": {"stage": "search"},
            "dataset": DATASET,
            "time": 5,
        },
    ),
    (
        LogMetrics("a", 2, {"loss": 0.5}, 6),
        {"do": "metrics", "trial": "a", "step": 2, "metrics": {"loss": 0.5}, "time": 6},
    ),
    (SetTags(None, {"k": "v"}), {"do": "tags", "trial": None, "tags": {"k": "v"}}),
    (SetStatus("a", "RUNNING"), {"do": "status", "trial": "a", "status": "RUNNING"}),
    (LogFile("a", "/f", None), {"do": "file", "trial": "a", "file": "/f", "folder": None}),
    (LogText(None, "t", "n.csv"), {"do": "text", "trial": None, "text": "t", "name": "n.csv"}),
    (EndRun("a", "FINISHED", 7), {"do": "end", "trial": "a", "status": "FINISHED", "time": 7}),
]


@pytest.mark.parametrize(("operation", "line"), KNOWN, ids=lambda one: getattr(one, "kind", ""))
def test_the_form_on_disk_is_that_of_earlier_versions(operation: Operation, line: dict[str, Any]) -> None:
    assert operation.to_json() == line
    assert from_json(json.loads(json.dumps(operation.to_json()))) == operation


def test_an_unknown_kind_or_field_is_refused() -> None:
    with pytest.raises(KeyError):
        from_json({"do": "fly", "trial": "a"})
    with pytest.raises(TypeError):
        from_json({"do": "end", "trial": "a", "status": "FINISHED"})
