"""Results as JSON files. JSON has no word for infinity and NaN, so they are null there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srcnn.system.atomic_file import atomic_write

__all__ = ["finite", "write_json"]


def finite(value: Any) -> Any:
    """Return data in which infinite numbers and NaN are None, and tuples are lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(one) for name, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, list | tuple) else value


def write_json(path: Path, value: Any) -> None:
    """Write data as indented JSON, see `finite`; the file is complete or does not appear.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps(finite(value), indent=2) + "\n"
    with atomic_write(path) as file:
        file.write_text(text, encoding="utf-8")
