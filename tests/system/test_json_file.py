"""Results as JSON files: read back by a parser that refuses what is not JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from srcnn.system.json_file import finite, write_json


def refuse(word: str) -> None:
    raise ValueError(word)


def test_infinite_numbers_are_null_wherever_they_stand(tmp_path: Path) -> None:
    value = {"a": [1.5, math.inf, ("x", -math.inf)], "b": {"c": math.nan}, "d": (True, None, 7)}
    assert finite(value) == {"a": [1.5, None, ["x", None]], "b": {"c": None}, "d": [True, None, 7]}
    file = tmp_path / "new" / "a.json"
    write_json(file, value)
    text = file.read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=refuse) == finite(value)
    assert text.startswith('{\n  "a"')
    assert text.endswith("}\n")


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"a": 1})
    with pytest.raises(TypeError):
        write_json(file, {"a": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert json.loads(file.read_text(encoding="utf-8")) == {"a": 1}
