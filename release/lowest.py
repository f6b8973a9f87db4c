"""Writes the lowest versions that ``pyproject.toml`` allows; ``make lowest`` installs them and runs the tests on them.

A lower bound that no installation can have, because another package needs a newer version, is a mistake: it is named, and
the exit code is 1. Packages that only other packages need are the newest that fit.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from lock import ROOT, compile_requirements, entries, name_of, version_of, without_torch

__all__ = ["bounds", "too_low"]


def bounds() -> dict[str, Version]:
    """Return the lower bound of every package that ``pyproject.toml`` names for users and developers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for name in extras if name != "fuzz" for line in extras[name])]
    found: dict[str, Version] = {}
    for requirement in map(Requirement, lines):
        for specifier in requirement.specifier:
            if specifier.operator == ">=":
                name = name_of(requirement.name)
                found[name] = max(Version(specifier.version), found.get(name, Version("0")))
    return found


def too_low(declared: dict[str, Version], resolved: list[str]) -> list[str]:
    """Return a line for every bound that is below the lowest version that can be installed.

    Args:
        declared: name and lower bound.
        resolved: entries of a requirements file with the lowest versions, such as ``numpy==2.2.0``.
    """
    lines = []
    for entry in resolved:
        name, version = name_of(entry), Version(version_of(entry))
        if name in declared and declared[name] < version:
            lines.append(f"{name}: >={declared[name]} is declared, but {version} is the lowest that fits the others")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Write the file; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition(";")[0] if __doc__ else None)
    parser.add_argument("file", type=Path, help="the requirements file to write")
    parser.add_argument("--any-torch", action="store_true", help="let pip choose torch within its bounds")
    given = parser.parse_args(arguments)
    resolved = entries(compile_requirements("pyproject.toml", "--resolution", "lowest-direct", "--no-strip-extras"))
    pin, others = without_torch(resolved)
    if given.any_torch:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        (pin,) = (line for line in project["dependencies"] if name_of(line) == "torch")
    given.file.parent.mkdir(parents=True, exist_ok=True)
    given.file.write_text("\n".join([pin, *others]) + "\n", encoding="utf-8")
    lines = too_low(bounds(), resolved)
    for line in lines:
        print(line, file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
