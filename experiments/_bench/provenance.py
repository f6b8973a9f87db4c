"""Where a file of results comes from: the command, the commit, the machine, how many, and from which seed.

Every JSON and CSV file under ``experiments/results`` has these five, in one of three places:

- a JSON file under its key ``provenance``: the header itself, or one for each section of the file
- a table of curves in its first line, ``# {...}``
- any other file in ``experiments/results/provenance.yaml``, by a pattern of its path: written by hand

`header` makes one for a command that writes results, at its start: the commit is that of the code which ran.
"""

from __future__ import annotations

import fnmatch
import gzip
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from _bench.machine import ROOT, environment

__all__ = ["FIELDS", "SIDECAR", "header", "header_faults", "results_faults"]

FIELDS = ("command", "commit", "machine", "n", "seed")
SIDECAR = "provenance.yaml"

_COMMIT = re.compile(r"[0-9a-f]{7,40}$")


def header(script: str, argv: Sequence[str], n: object, seed: object, device: str = "cpu") -> dict[str, Any]:
    """The header of a file of results.

    Args:
        script: the command's file, such as ``replay.py``.
        argv: its arguments as typed; a path inside the repository is written from its root.
        n: how many there are of what the figures are means or medians of: repetitions, seeds, samples.
        seed: the first, or all of them.
        device: ``cpu`` or ``cuda``.
    """
    where = environment(device)
    typed = shlex.join(["python", f"experiments/{script}", *argv]).replace(f"{ROOT}/", "")
    name = where["device"] if device == "cuda" else where["processor"]
    return {
        "command": typed,
        "commit": where["commit"],
        "machine": f"{name}, {where['cores']} cores",
        "n": n,
        "seed": seed,
        "date": where["date"],
        "versions": where["versions"],
    }


def header_faults(found: Mapping[str, Any]) -> list[str]:
    """What is missing or unknown in a header; empty if nothing is."""
    faults = [f"{name}: is missing" for name in FIELDS if found.get(name) in (None, "", [])]
    faults += [f"{name}: is unknown" for name in FIELDS if found.get(name) == "unknown"]
    commits = found.get("commit")
    for commit in commits if isinstance(commits, list) else [commits]:
        if commit and commit != "unknown" and not _COMMIT.match(str(commit)):
            faults.append(f"commit: must be 7 to 40 hexadecimal digits, of a tree without changes, but got {commit}")
    return faults


def results_faults(folder: Path) -> list[str]:
    """What keeps a folder of results from saying where its figures come from, a line for each; empty if nothing does.

    Args:
        folder: every ``.json``, ``.csv`` and ``.csv.gz`` file in it and below it must have a header.
    """
    sidecar = folder / SIDECAR
    named: dict[str, Any] = yaml.safe_load(sidecar.read_text(encoding="utf-8")) if sidecar.exists() else {}
    files = sorted(p for p in folder.rglob("*") if p.name.endswith((".json", ".csv", ".csv.gz")))
    unused, faults = set(named), []
    for file in files:
        name = file.relative_to(folder).as_posix()
        patterns = [pattern for pattern in named if fnmatch.fnmatchcase(name, pattern)]
        unused -= set(patterns)
        headers = _own(file) or {pattern: named[pattern] for pattern in patterns}
        if not headers:
            faults.append(f"{name}: says nowhere where it comes from ({', '.join(FIELDS)})")
        for part, found in headers.items():
            faults += [f"{name}: {part}: {fault}" for fault in header_faults(found)]
    return faults + [f"{SIDECAR}: {pattern}: there is no such file" for pattern in sorted(unused)]


def _own(file: Path) -> dict[str, Any]:
    """The headers that a file holds itself, by section."""
    data = file.read_bytes()
    if file.suffix == ".json":
        content = json.loads(data)
        found = content.get("provenance") if isinstance(content, dict) else None
        if not isinstance(found, dict):
            return {}
        sections = {name: part for name, part in found.items() if isinstance(part, dict) and name != "versions"}
        return sections or {"provenance": found}
    first = (gzip.decompress(data) if file.suffix == ".gz" else data).decode().partition("\n")[0]
    return {"first line": json.loads(first.removeprefix("# "))} if first.startswith("# {") else {}
