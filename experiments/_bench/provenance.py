"""Provenance of results files: command, commit, machine, number of repetitions, and seed.

Every JSON and CSV file in ``experiments/results`` has these five fields, in one of three places:

- JSON files: the key ``provenance``, with one header or one per section of the file
- tables of curves: the first line, ``# {...}``
- other files: ``experiments/results/provenance.yaml``, by a pattern of their path, edited by hand

`header` makes a header at the start of a command that writes results, with the commit of the code that runs.
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
    """Return the header of a results file.

    Args:
        script: file of the command, such as ``replay.py``.
        argv: its arguments as typed; paths in the repository are written relative to its root.
        n: number of repetitions, seeds or samples in the means or medians.
        seed: the first random seed, or all of them.
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
    """Return the missing or unknown fields of a header; empty if there are none."""
    faults = [f"{name}: is missing" for name in FIELDS if found.get(name) in (None, "", [])]
    faults += [f"{name}: is unknown" for name in FIELDS if found.get(name) == "unknown"]
    commits = found.get("commit")
    for commit in commits if isinstance(commits, list) else [commits]:
        if commit and commit != "unknown" and not _COMMIT.match(str(commit)):
            faults.append(f"commit: must be 7 to 40 hexadecimal digits, of a tree without changes, but got {commit}")
    return faults


def results_faults(folder: Path) -> list[str]:
    """Return the results files without a valid header, one line each; empty if there are none.

    Args:
        folder: every ``.json``, ``.csv`` and ``.csv.gz`` file in it and in its subfolders must have a header.
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
            faults.append(f"{name}: must have a header with its provenance ({', '.join(FIELDS)})")
        for part, found in headers.items():
            faults += [f"{name}: {part}: {fault}" for fault in header_faults(found)]
    return faults + [f"{SIDECAR}: {pattern}: there is no such file" for pattern in sorted(unused)]


def _own(file: Path) -> dict[str, Any]:
    """Return the headers in a file, by section."""
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
