"""Provenance tags of a run: library versions, git commit, processor, GPU, user."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from srcnn.config.quantities import counted
from srcnn.system.gpu import gpu_name
from srcnn.system.source_commit import MODIFIED, UNKNOWN, source_commit
from srcnn.tuning.tracking import names

__all__ = ["environment_tags", "processor", "short_commit"]

_DIGITS = 10  # number of digits of a commit in captions


def environment_tags() -> dict[str, str]:
    """Return tags with everything on which a figure depends besides its configuration: commit, versions, machine."""
    tags = {names.version_tag(name): version(name) for name in ("torch", "ray", "optuna", "mlflow", "numpy")}
    tags[names.version_tag("python")] = ".".join(map(str, sys.version_info[:3]))
    tags[names.TAG_DEVICE] = gpu_name() or processor()
    tags[names.TAG_COMMIT] = source_commit()
    tags[names.TAG_SOURCE] = Path(sys.argv[0]).name or "python"
    with suppress(Exception):  # in a container, the user may have no name
        tags[names.TAG_USER] = getpass.getuser()
    return tags


def short_commit(tags: Mapping[str, str]) -> str:
    """Return the first ten digits of the commit in a run's tags, with the suffix for modified files."""
    commit = tags.get(names.TAG_COMMIT, UNKNOWN)
    mark = MODIFIED if commit.endswith(MODIFIED) else ""
    return commit.removesuffix(MODIFIED)[:_DIGITS] + mark


def processor() -> str:
    cores = counted(os.cpu_count() or 1, "core")
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {cores}"
    return f"CPU, {cores}"
