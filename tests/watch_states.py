"""States of a search as its file live.json has them, for tests of the watch page."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from srcnn.tuning.driver.live_state import FILE

__all__ = ["HOSTILE", "put", "state", "trial"]

#: A name that would be a script if it were not escaped.
HOSTILE = '"><script>document.title="taken"</script><img src=x onerror=alert(1)>'


def trial(key: str, curve: tuple[float, ...] = (0.1, 0.4, 0.5), scale: int = 3, **fields: Any) -> dict[str, Any]:
    """A trial whose epochs are those of the curve, of nine."""
    best = {"gain": max(curve)} if curve else {"gain": None}
    given = {"id": key, "name": f"x{scale} 9-1-5 {key}", "scale": scale, "stage": "search", "reference": False}
    given |= {"state": "running", "epoch": len(curve), "epochs": 9, "curve": curve, "seconds": 12.0, "device": "cpu"}
    return {**given, **best, "failure": "", "node": "", **fields}


def state(*trials: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A search of this process that goes on, updated now."""
    counts: dict[str, int] = {}
    for one in trials:
        counts[one["state"]] = counts.get(one["state"], 0) + 1
    best: dict[str, Any] = {}
    for one in sorted((one for one in trials if one["gain"] is not None), key=lambda one: float(one["gain"])):
        best[str(one["scale"])] = {key: one[key] for key in ("name", "gain", "reference")} | {"trial": one["id"]}
    paper = {str(one["scale"]): one["gain"] for one in trials if one["reference"]}
    given = {"version": 1, "search": "today", "stage": "search", "stage_number": 1, "trials_planned": 12}
    given |= {"ended": sum(one["state"] in ("finished", "stopped", "failed") for one in trials), "counts": counts}
    given |= {"slots": 2, "elapsed": 100.0, "core_seconds": 180.0, "expected": None, "limit": None, "left": None}
    given |= {"best": best, "references": paper, "decision": None, "trials": list(trials), "state": "running"}
    given |= {"pid": os.getpid(), "updated": datetime.now(UTC).isoformat(timespec="seconds"), "about": {}}
    return {**given, **fields}


def put(folder: Path, data: Any, *, age: float = 0.0) -> Path:
    """Write the file into the folder of a search, as if some seconds ago."""
    if age:
        data = {**data, "updated": (datetime.now(UTC) - timedelta(seconds=age)).isoformat(timespec="seconds")}
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return folder
