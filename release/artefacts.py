"""Writes a release's list of parts (SBOM) and its SHA-256 sums; ``make release`` starts it.

The list is CycloneDX 1.6 in JSON (ECMA-424): every package that ``pip install 'srcnn[cluster,export]'`` brings, in the
version that CI tested, with the sums of its files. ``SHA256SUMS`` is read by ``sha256sum --check``.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path

from lock import LOCK, ROOT, compile_requirements, entries, name_of, version_of

__all__ = ["SUMS", "pins", "write_sbom", "write_sums"]

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
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    path = folder / f"srcnn-{version}.cdx.json"
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
        subprocess.run([*command, "--output-file", str(path)], check=True)
    return path


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
