"""Checks of this machine, with advice for failures. The result is one row per check.

A check is a module-level function that is called in a separate process, so it may use a GPU, start Ray, or crash
without effect on the next check. The modules: `software_checks` and `environment_checks` (no GPU), `store_checks` (MLflow),
`gpu_checks` (a GPU), and `search_checks` (searches of both kinds). Checks of the platform are skipped where Ray, Optuna or
MLflow is not installed.

    python -m srcnn.tuning.doctor.examination NAME [OPTIONS]        run one check in this process; prints a line of JSON
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from srcnn.errors import SRCNNError
from srcnn.system.gpu import gpu_count
from srcnn.tuning.adapters.environment import configure

__all__ = ["CHECKS", "Check", "Finding", "Seen", "examine"]


@dataclass(frozen=True)
class Seen:
    """Result of a passed check: text for the user, and values by name."""

    text: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A check. It fails if its function raises; the reason is the first line of the error."""

    name: str
    function: str  #: ``module.function`` in this package
    gpu: bool  #: whether it needs a GPU
    advice: str  #: advice for a failure
    limit: float = 300.0  #: time limit, in seconds
    needs: tuple[str, ...] = ()  #: libraries of the platform, without which it is skipped
    takes: tuple[str, ...] = ()  #: names of the options of `examine` that its function has as arguments


@dataclass(frozen=True)
class Finding:
    """A row of the result."""

    name: str
    outcome: str  #: ``ok``, ``failed`` or ``skipped``
    text: str  #: result, or reason of the failure
    advice: str = ""  #: advice; empty if there is nothing to do
    figures: dict[str, Any] = field(default_factory=dict)


_PLATFORM = ("ray", "optuna", "mlflow")
_INSTALL = "pip install 'srcnn[search]'"  # what installs the platform

CHECKS: tuple[Check, ...] = (
    Check("versions", "software_checks.versions", False, "install again: make clean, then make test"),
    Check("environment", "environment_checks.variables", False, "correct the variable, or unset it"),
    Check("threads", "environment_checks.threads", False, "set OMP_NUM_THREADS to the number of free cores, or to 1"),
    Check(
        "bf16 on the CPU",
        "environment_checks.bf16_on_cpu",
        False,
        "use --precision fp32; please report it with the version of torch and the processor",
    ),
    Check(
        "data sets",
        "environment_checks.data_sets",
        False,
        "remove the folder of the set and fetch it again: python experiments/data.py fetch NAME",
    ),
    Check(
        "disks",
        "environment_checks.disk",
        False,
        "free some space, or choose other folders: --storage, $SRCNN_CACHE, $TMPDIR",
        takes=("storage",),
    ),
    Check(
        "stores",
        "store_checks.stores",
        False,
        "check the address; for an old database: mlflow db upgrade ADDRESS (copy the file first)",
        needs=_PLATFORM,
        takes=("tracking_uri", "storage"),
    ),
    Check(
        "step on no device",
        "software_checks.step_on_meta",
        False,
        "a training step reads a value or uses another device: a bug; please report it with the version of torch",
    ),
    Check(
        "recorded step proves itself",
        "software_checks.recorded_step",
        False,
        "a wrong recording is used, or a correct one is rejected: a bug; please report it with the version of torch",
    ),
    Check(
        "Ray places trials on invented GPUs",
        "search_checks.invented_gpus",
        False,
        "Ray does not place trials correctly: check its version (versions, above) and the free memory",
        600.0,
        needs=_PLATFORM,
    ),
    Check(
        "device and driver",
        "gpu_checks.device_and_driver",
        True,
        "install a driver for this GPU and a torch for its CUDA version: https://pytorch.org/get-started/locally",
    ),
    Check("bf16", "gpu_checks.bf16", True, "train with --precision fp32; GPUs before Ampere have no bf16"),
    Check(
        "recorded against plain step",
        "gpu_checks.recorded_against_plain",
        True,
        "training remains correct, but steps are not recorded: small networks train more slowly; please report the reason",
    ),
    Check(
        "a memory cap holds",
        "gpu_checks.memory_cap_holds",
        True,
        "do not share a GPU between trials: leave --gpus-per-trial at 1",
    ),
    Check(
        "two trials share a card",
        "search_checks.two_trials_share_a_card",
        True,
        "leave --gpus-per-trial at 1; check that the compute mode of the GPU is Default: nvidia-smi -q -d COMPUTE",
        needs=_PLATFORM,
    ),
    Check(
        "four trials, a GPU each",
        "search_checks.four_trials",
        True,
        "see the error of the trial: python experiments/search.py --trials 4 --budget 200k",
        600.0,
        needs=_PLATFORM,
    ),
    Check(
        "deterministic runs agree",
        "gpu_checks.deterministic_runs_agree",
        True,
        "compare means over seeds instead of bits; unset CUBLAS_WORKSPACE_CONFIG if it has another value",
    ),
    *(
        Check(
            f"throughput of {kernels}",
            f"gpu_checks.throughput_{kernels.replace('-', '_')}",
            True,
            "check that no other process uses the GPU: nvidia-smi",
        )
        for kernels in ("9-1-5", "9-3-5", "9-5-5", "11-1-7")
    ),
)


_FIRST = next(check for check in CHECKS if check.gpu)


def _card_here() -> bool:
    """Return whether a driver is loaded. If so, a torch without a GPU is an error and not a machine without a GPU."""
    return Path("/dev/nvidiactl").exists()


def _missing(names: Sequence[str]) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name) is None]


def examine(
    *,
    gpu: bool,
    checks: Sequence[Check] = CHECKS,
    begin: Callable[[Check], None] | None = None,
    options: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Finding]:
    """Run the checks one by one.

    Args:
        gpu: also run the checks that need a GPU. Without a GPU they are skipped, except the first one if a driver is loaded.
        checks: the checks to run.
        begin: called before each check.
        options: arguments for the checks that take them: ``tracking_uri`` and ``storage`` of the searches.
    """
    count = gpu_count() if gpu else 0
    for check in checks:
        if check.gpu and not gpu:
            continue
        if check.gpu and not count and not (check is _FIRST and _card_here()):
            yield Finding(check.name, "skipped", "no GPU is visible to this process")
            continue
        if missing := _missing(check.needs):
            verb = "is" if len(missing) == 1 else "are"
            yield Finding(check.name, "skipped", f"{', '.join(missing)} {verb} not installed", _INSTALL)
            continue
        if begin is not None:
            begin(check)
        yield _run(check, {name: options[name] for name in check.takes if name in options})


def _run(check: Check, options: Mapping[str, str]) -> Finding:
    """Run a check in a separate process and kill its child processes at the end."""
    command = [
        sys.executable,
        "-m",
        __name__ if __name__ != "__main__" else "srcnn.tuning.doctor.examination",
        check.function,
        json.dumps(dict(options)),
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
        return failed(f"the process ended with code {process.returncode}" + (f": {lines[-1]}" if lines else ""))
    if "error" in answer:
        return failed(answer["error"])
    return Finding(check.name, "ok", answer["text"], figures=answer["figures"])


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the process and all its child processes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (OSError, AttributeError):
        process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _answer(function: str, options: Mapping[str, str]) -> dict[str, Any]:
    module, _, name = function.rpartition(".")
    try:
        seen = getattr(importlib.import_module(f"srcnn.tuning.doctor.{module}"), name)(**options)
    except SRCNNError as error:
        return {"error": str(error)}
    except Exception as error:  # any error is the result of this check
        first = (str(error).strip().splitlines() or [""])[0]
        return {"error": f"{type(error).__name__}: {first}" if first else type(error).__name__}
    return {"text": seen.text, "figures": seen.figures}


if __name__ == "__main__":
    configure()
    print(json.dumps(_answer(sys.argv[1], json.loads("".join(sys.argv[2:]) or "{}"))), flush=True)
