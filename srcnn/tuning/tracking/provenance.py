"""Tags that say where a run came from: versions, commit, processor, GPU, user."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from srcnn.system.gpu import gpu_name

__all__ = ["environment_tags"]


def environment_tags() -> dict[str, str]:
    """What a figure depends on besides its configuration: commit, versions, machine."""
    tags = {f"version.{name}": version(name) for name in ("torch", "ray", "optuna", "mlflow", "numpy")}
    tags["version.python"] = ".".join(map(str, sys.version_info[:3]))
    tags["device"] = gpu_name() or _processor()
    tags["mlflow.source.git.commit"] = _commit()
    tags["mlflow.source.name"] = Path(sys.argv[0]).name or "python"
    with suppress(Exception):  # a container may run as a user without a name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    return f"CPU, {os.cpu_count()} cores"


def _commit() -> str:
    """The commit of the code, with a mark where files differ from it; ``unknown`` outside a checkout."""
    with suppress(OSError, subprocess.SubprocessError):
        here = Path(__file__).parent

        def git(*arguments: str) -> str:
            return subprocess.run(
                ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
            ).stdout.strip()

        return git("rev-parse", "HEAD") + ("-modified" if git("status", "--porcelain", "--untracked-files=no") else "")
    return "unknown"
