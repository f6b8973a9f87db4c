"""The notebooks of examples/: they run, and what is kept of their outputs is whole, small and of no particular machine."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT

NOTEBOOKS = ("own-photos.ipynb", "reproduce-a-table.ipynb", "tour.ipynb")
EXAMPLES = ROOT / "examples"
_LARGEST = 400_000  # bytes
_OF_A_MACHINE = re.compile(r"/(?:home|root|work|tmp|Users|mnt|opt|usr)/")


def cells(path: Path) -> list[dict[str, Any]]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text_of(output: dict[str, Any]) -> str:
    """The text of an output, without the data of pictures."""
    data = {kind: value for kind, value in output.get("data", {}).items() if not kind.startswith("image/")}
    return json.dumps([output.get("text"), data], ensure_ascii=False)


def test_every_notebook_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.ipynb")} == set(NOTEBOOKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs(name: str, tmp_path: Path) -> None:
    pytest.importorskip("nbclient", reason="nbclient is not installed")
    environment = {**os.environ, "SRCNN_EXAMPLES": "tiny", "SRCNN_CACHE": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    program = [sys.executable, str(EXAMPLES / "execute.py"), name, "--out", str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    ran = cells(tmp_path / name)
    assert all(output["output_type"] != "error" for cell in ran for output in cell["outputs"])
    assert [cell["execution_count"] for cell in ran] == list(range(1, len(ran) + 1))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_kept_outputs(name: str) -> None:
    path = EXAMPLES / name
    assert path.stat().st_size < _LARGEST
    kept = cells(path)
    assert [cell["execution_count"] for cell in kept] == list(range(1, len(kept) + 1)), "run examples/execute.py"
    outputs = [output for cell in kept for output in cell["outputs"]]
    assert outputs
    assert {output["output_type"] for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert not [output for output in outputs if output.get("name") == "stderr"]
    for output in outputs:
        assert not _OF_A_MACHINE.search(text_of(output)), text_of(output)
        assert socket.gethostname() not in text_of(output)
