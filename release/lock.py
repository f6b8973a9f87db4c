"""Writes ``requirements-ci.lock``, the packages that CI installs with their SHA-256 sums; ``make lock`` starts it.

The lock is good for Linux, macOS and Windows and for every Python that the package supports. torch is in it by its
version alone, in a comment that the Makefile reads: the same version comes as a CPU build and as CUDA builds, whose files
differ, and which one is right depends on the machine. torch names its own CUDA libraries exactly, so they are left out as
well. The file names no package index.

The versions are those of the environment that ran the tests (``--tested``); what it lacks, such as packages for Windows, uv
chooses. ``release/tools.lock``, which ``make lock`` writes as well, has the tools that make locks and releases.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

__all__ = ["LOCK", "ROOT", "TOOLS_LOCK", "compile_requirements", "entries", "name_of", "version_of", "without_torch"]

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-ci.lock"
TOOLS_LOCK = ROOT / "release" / "tools.lock"
_HEAD = """\
# What CI installs and has tested. Written by `make lock`; do not edit by hand.
# {torch}
# The line above is read by the Makefile: torch has no sums here, since its CPU and CUDA builds are different files.
"""
_TOOLS_HEAD = "# The tools of releases. Written by `make lock` from release/tools.in; do not edit by hand.\n"
_LOCKING = (
    "--universal",
    "--generate-hashes",
    "--fork-strategy",
    "fewest",
    "--no-emit-index-url",
    "--no-emit-find-links",
)
PYTHON = "3.11.5"  #: the oldest one that CI runs
_OF_TORCH = re.compile(r"^(?:torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)$")
_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")


def compile_requirements(source: str, *options: str, extras: tuple[str, ...] = ("dev",)) -> str:
    """Return what uv resolves a file of requirements to, as text of a requirements file.

    Args:
        source: ``pyproject.toml`` or a file of requirements, from the root.
        options: of ``uv pip compile``.
        extras: of the package, if the file is ``pyproject.toml``.

    Raises:
        subprocess.CalledProcessError: they cannot be resolved; uv has said why on stderr.
    """
    uv = Path(sysconfig.get_path("scripts")) / "uv"  # of the environment that runs this file
    command = [
        str(uv),
        "pip",
        "compile",
        "--quiet",
        "--no-header",
        "--no-annotate",
        "--python-version",
        PYTHON,
        *options,
    ]
    command += [source, *(f"--extra={extra}" for extra in extras if source == "pyproject.toml")]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def entries(text: str) -> list[str]:
    """Return the entries of a requirements file, each with its continued lines, without comments."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines)
    return [entry for entry in re.split(r"(?<!\\)\n", joined) if entry]


def name_of(entry: str) -> str:
    """Return the normalized name of the package of an entry."""
    match = _NAME.match(entry)
    assert match is not None, entry
    return re.sub(r"[-_.]+", "-", match[1]).lower()


def version_of(entry: str) -> str:
    """Return the version of a pinned entry, without the name of its build."""
    match = re.search(r"==\s*([^\s;\\+]+)", entry)
    assert match is not None, entry
    return match[1]


def without_torch(found: list[str]) -> tuple[str, list[str]]:
    """Return torch's pin without the name of its build, and the entries of all packages but torch and its CUDA libraries."""
    (torch,) = (entry for entry in found if name_of(entry) == "torch")
    return f"torch=={version_of(torch)}", [entry for entry in found if not _OF_TORCH.match(name_of(entry))]


def tested(python: str) -> list[str]:
    """Return the pins of the packages that an interpreter's environment has from an index, without the names of builds."""
    freeze = [python, "-m", "pip", "list", "--format", "freeze", "--exclude-editable"]
    pins = subprocess.run(freeze, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [pin for pin in pins if "+" not in pin and name_of(pin) not in ("pip", "setuptools")]


def main(arguments: list[str] | None = None) -> int:
    """Write the locks; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition(";")[0] if __doc__ else None)
    parser.add_argument("--tested", metavar="PYTHON", help="the interpreter of the environment that ran the tests")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "tested.txt"
        constraints.write_text("\n".join(tested(given.tested) if given.tested else []), encoding="utf-8")
        text = compile_requirements("pyproject.toml", *_LOCKING, "--constraint", str(constraints))
    torch, kept = without_torch(entries(text))
    LOCK.write_text(_HEAD.format(torch=torch) + "\n".join(kept) + "\n", encoding="utf-8")
    tools = entries(compile_requirements("release/tools.in", *_LOCKING))
    TOOLS_LOCK.write_text(_TOOLS_HEAD + "\n".join(tools) + "\n", encoding="utf-8")
    print(f"{LOCK.name}: {len(kept)} packages and {torch}; {TOOLS_LOCK.name}: {len(tools)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
