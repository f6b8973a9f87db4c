"""What works on this machine, and what to do about the rest: a row for each check.

A check is a function of a module, called in a process of its own: it may take a GPU, start Ray, or die, and the next check
finds the machine as it was. The module `software_checks` has those that need no GPU, `gpu_checks` those that do, and
`search_checks` the searches of both.

    python -m srcnn.tuning.doctor.examination NAME        one check, here; a line of JSON
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srcnn.errors import SRCNNError
from srcnn.system.gpu import gpu_count
from srcnn.tuning.adapters.environment import configure

__all__ = ["CHECKS", "Check", "Finding", "Seen", "examine"]


@dataclass(frozen=True)
class Seen:
    """What a check that passed has seen: words for a person, and figures by name."""

    text: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """Something to look at. It fails where its function raises; the error's first line says why."""

    name: str
    function: str  #: ``module.function`` within this package
    gpu: bool  #: whether it needs a GPU
    advice: str  #: what to do where it fails
    limit: float = 300.0  #: seconds after which it has failed


@dataclass(frozen=True)
class Finding:
    """A row of the table."""

    name: str
    outcome: str  #: ``ok``, ``failed`` or ``skipped``
    text: str  #: what was seen, or why it failed
    advice: str = ""  #: what to do; empty unless it failed
    figures: dict[str, Any] = field(default_factory=dict)


CHECKS: tuple[Check, ...] = (
    Check("versions", "software_checks.versions", False, "install again: make clean, then make test"),
    Check(
        "step on no device",
        "software_checks.step_on_meta",
        False,
        "a training step looks at a value or leaves its device: a bug; please report it with torch's version",
    ),
    Check(
        "recorded step proves itself",
        "software_checks.recorded_step",
        False,
        "a wrong recording would be used, or a right one refused: a bug; please report it with torch's version",
    ),
    Check(
        "Ray places trials on invented GPUs",
        "search_checks.invented_gpus",
        False,
        "Ray's placement does not hold: check its version (versions, above) and free memory",
        600.0,
    ),
    Check(
        "device and driver",
        "gpu_checks.device_and_driver",
        True,
        "install a driver for this card and a torch built for its CUDA version: https://pytorch.org/get-started/locally",
    ),
    Check("bf16", "gpu_checks.bf16", True, "train with --precision fp32; cards before Ampere have no bf16"),
    Check(
        "recorded against plain step",
        "gpu_checks.recorded_against_plain",
        True,
        "training stays right, but launches step by step: small networks train more slowly; please report the reason",
    ),
    Check(
        "a memory cap holds",
        "gpu_checks.memory_cap_holds",
        True,
        "do not share a card: leave --gpus-per-trial at 1",
    ),
    Check(
        "two trials share a card",
        "search_checks.two_trials_share_a_card",
        True,
        "leave --gpus-per-trial at 1; check that the card's compute mode is Default: nvidia-smi -q -d COMPUTE",
    ),
    Check(
        "four trials, a GPU each",
        "search_checks.four_trials",
        True,
        "look at the trial's error: python experiments/search.py --trials 4 --budget 200k",
        600.0,
    ),
    Check(
        "deterministic runs agree",
        "gpu_checks.deterministic_runs_agree",
        True,
        "compare runs by their means over seeds, not bit by bit; unset CUBLAS_WORKSPACE_CONFIG if it is set to something else",
    ),
    *(
        Check(
            f"throughput of {kernels}",
            f"gpu_checks.throughput_{kernels.replace('-', '_')}",
            True,
            "see that nothing else uses the card: nvidia-smi",
        )
        for kernels in ("9-1-5", "9-3-5", "9-5-5", "11-1-7")
    ),
)


_FIRST = next(check for check in CHECKS if check.gpu)


def _card_here() -> bool:
    """Whether a driver is loaded; then a torch that finds no GPU is a fault rather than a machine without one."""
    return Path("/dev/nvidiactl").exists()


def examine(
    *, gpu: bool, checks: Sequence[Check] = CHECKS, begin: Callable[[Check], None] | None = None
) -> Iterator[Finding]:
    """Look at one thing after the other.

    Args:
        gpu: the checks that need a GPU as well; without one they are skipped, but for the first where a driver is loaded.
        checks: what to look at.
        begin: called before each check that runs.
    """
    count = gpu_count() if gpu else 0
    for check in checks:
        if check.gpu and not gpu:
            continue
        if check.gpu and not count and not (check is _FIRST and _card_here()):
            yield Finding(check.name, "skipped", "no GPU is visible to this process")
            continue
        if begin is not None:
            begin(check)
        yield _run(check)


def _run(check: Check) -> Finding:
    """In a process of its own, whose children end with it."""
    command = [
        sys.executable,
        "-m",
        __name__ if __name__ != "__main__" else "srcnn.tuning.doctor.examination",
        check.function,
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )

    def failed(reason: str) -> Finding:
        return Finding(check.name, "failed", reason, check.advice)

    try:
        out, err = process.communicate(timeout=check.limit)
    except subprocess.TimeoutExpired:
        return failed(f"took longer than {check.limit:.0f} s")
    finally:
        _end(process)
    try:
        answer = json.loads(out.strip().splitlines()[-1])
    except (IndexError, ValueError):
        lines = err.strip().splitlines()
        return failed(f"its process ended with code {process.returncode}" + (f": {lines[-1]}" if lines else ""))
    if "error" in answer:
        return failed(answer["error"])
    return Finding(check.name, "ok", answer["text"], figures=answer["figures"])


def _end(process: subprocess.Popen[str]) -> None:
    """The process and whatever it started and left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (OSError, AttributeError):
        process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _answer(function: str) -> dict[str, Any]:
    module, _, name = function.rpartition(".")
    try:
        seen = getattr(importlib.import_module(f"srcnn.tuning.doctor.{module}"), name)()
    except SRCNNError as error:
        return {"error": str(error)}
    except Exception as error:  # whatever it is, it is this check's result
        first = (str(error).strip().splitlines() or [""])[0]
        return {"error": f"{type(error).__name__}: {first}" if first else type(error).__name__}
    return {"text": seen.text, "figures": seen.figures}


if __name__ == "__main__":
    configure()
    print(json.dumps(_answer(sys.argv[1])), flush=True)
