"""A table of a paper in small, as a file."""

from __future__ import annotations

from pathlib import Path

import yaml

__all__ = ["SMALL", "write"]

SMALL = {
    "title": "t",
    "question": "q",
    "source": "s",
    "rows": [{"name": "a", "config": {"filters": "8-4"}}, {"name": "b", "config": {"filters": "4-4"}}],
    "claims": [{"text": "a > b", "kind": "order", "rows": ["a", "b"]}],
    "budgets": {"smoke": {"pixels": [1000.0, 2000.0], "seeds": 2, "sample": True}},
}


def write(folder: Path, **changes: object) -> Path:
    path = folder / "table.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}), encoding="utf-8")
    return path
