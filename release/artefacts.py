"""Writes a release's list of parts (SBOM) and its SHA-256 sums; ``make release`` starts it.

The list is CycloneDX 1.6 in JSON (ECMA-424): every package that ``pip install 'srcnn[cluster,export]'`` brings, in the
version that CI tested, with the sums of its files. ``SHA256SUMS`` is read by ``sha256sum --check``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from lock import LOCK, ROOT, compile_requirements, entries, name_of, version_of

__all__ = ["SUMS", "pins", "related", "write_sbom", "write_sums"]

SUMS = "SHA256SUMS"


def pins() -> list[str]:
    """Return what CI tested, as ``name==version``; torch is the first."""
    text = LOCK.read_text(encoding="utf-8")
    torch = re.search(r"^# (torch==\S+)$", text, re.MULTILINE)
    assert torch is not None, LOCK
    return [torch[1], *(f"{name_of(entry)}=={version_of(entry)}" for entry in entries(text))]


def write_sbom(folder: Path) -> Path:
    """Write ``srcnn-VERSION.cdx.json`` into a folder, and return its path.

    Raises:
        subprocess.CalledProcessError: uv or cyclonedx-py failed; they have said why on stderr.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    path = folder / f"srcnn-{project['version']}.cdx.json"
    with tempfile.TemporaryDirectory() as scratch:
        tested, parts = Path(scratch) / "tested.txt", Path(scratch) / "requirements.txt"
        tested.write_text("\n".join(pins()), encoding="utf-8")
        options = ("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--constraint", str(tested))
        found = compile_requirements("pyproject.toml", *options, extras=("cluster", "export"))
        listed = (
            pins()[0] if name_of(entry) == "torch" else entry for entry in entries(found)
        )  # without a build's own sums
        parts.write_text("\n".join(listed), encoding="utf-8")
        program = Path(sysconfig.get_path("scripts")) / "cyclonedx-py"
        command = [str(program), "requirements", str(parts), "--pyproject", str(ROOT / "pyproject.toml")]
        command += ["--mc-type", "library", "--output-format", "JSON", "--spec-version", "1.6", "--output-reproducible"]
        # cyclonedx-py reads no relations from a list of packages, and warns of that; those of the package itself are added below.
        quiet = {**os.environ, "PYTHONWARNINGS": "ignore::UserWarning"}
        subprocess.run([*command, "--output-file", str(path)], check=True, env=quiet)
    bom = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(related(bom, project["dependencies"]), indent=1) + "\n", encoding="utf-8")
    return path


def related(bom: dict[str, Any], requirements: list[str]) -> dict[str, Any]:
    """Return a list of parts whose root depends on the parts that the requirements name."""
    names = {name_of(line) for line in requirements}
    parts = sorted(one["bom-ref"] for one in bom["components"] if name_of(one["name"]) in names)
    root = bom["metadata"]["component"]["bom-ref"]
    others = [one for one in bom.get("dependencies", []) if one["ref"] != root]
    return {**bom, "dependencies": [{"ref": root, "dependsOn": parts}, *others]}


def write_sums(folder: Path) -> Path:
    """Write ``SHA256SUMS``, a line for each other file of a folder in the order of names, and return its path."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return folder / SUMS


def main(arguments: list[str] | None = None) -> int:
    """Write both; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition(";")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("dist"), help="the folder with the packages")
    parser.add_argument(
        "--pins", type=Path, help="write what CI tested, as name==version, into this file, and do nothing else"
    )
    given = parser.parse_args(arguments)
    if given.pins is not None:
        given.pins.write_text("\n".join(pins()) + "\n", encoding="utf-8")
        return 0
    folder: Path = given.folder
    write_sbom(folder)
    print(write_sums(folder).read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
