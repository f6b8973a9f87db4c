"""The git commit of the code that runs, for records of what made a result."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

__all__ = ["MODIFIED", "UNKNOWN", "source_commit"]

UNKNOWN = "unknown"  #: the commit if the code is not in a git checkout
MODIFIED = "-modified"  #: suffix of the commit if files differ from it


def source_commit() -> str:
    """Return the commit of the code, with `MODIFIED` if files differ from it; `UNKNOWN` outside a git checkout."""
    here = Path(__file__)

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=here.parent, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    with suppress(OSError, subprocess.SubprocessError):
        git("ls-files", "--error-unmatch", here.name)  # else installed below somebody's checkout of something else
        return git("rev-parse", "HEAD") + (MODIFIED if git("status", "--porcelain", "--untracked-files=no") else "")
    return UNKNOWN
