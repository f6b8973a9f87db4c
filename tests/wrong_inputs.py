"""Runs a command with a wrong input in a child of a process that has loaded all commands, and says what came of it.

A row is a `Case`. The lists are in ``tests/wrong_inputs_AREA.py``, and ``tests/test_wrong_inputs.py`` runs them all. Loading
torch, Ray and MLflow takes four seconds of processor time, so one process loads them once and forks a child for each case.
That process starts no thread: a child would lack it.

Run as a program it prints the slowest and the largest cases and what is wrong::

    PYTHONPATH=.:tests python tests/wrong_inputs.py [REGULAR EXPRESSION OF NAMES]
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Case", "Ran", "Runner", "all_cases", "complaints", "picture", "run_case", "two_sets"]

LIMIT = float(os.environ.get("SRCNN_CASE_SECONDS", "60"))  #: seconds of wall time after which a case hangs
MEMORY = 2**30  #: bytes that a case may take, with the libraries
_GUARD = (
    3 * 2**30
)  # bytes beyond those of the libraries: an allocation of more fails, so that no case harms the machine
_READ = 2**20  # bytes of a file up to which its content is compared


@dataclass(frozen=True)
class Case:
    """A wrong input."""

    name: str  #: id of the test, lower case words
    #: The command (train, evaluate, search ...) and its arguments; ``{dir}`` stands for the scratch folder of the case.
    argv: tuple[str, ...]
    says: str  #: regular expression that must be found in the line on stderr
    prepare: Callable[[Path], object] | None = None  #: writes the files of the case into the scratch folder
    code: int = 2
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ran:
    """What came of a case."""

    code: int  #: exit code; negative: the signal that ended it
    out: str
    error: str
    memory: int  #: highest memory of the process, with the libraries, in bytes
    seconds: float  #: processor time
    hung: bool  #: it did not end within the limit
    written: tuple[
        str, ...
    ]  #: paths that are new, gone or different in the scratch folder and in that of temporary files


class Runner:
    """The process that has loaded all commands. Use it as a context manager."""

    def __enter__(self) -> Runner:
        root = Path(__file__).parents[1]
        paths = [str(root), str(root / "tests"), os.environ.get("PYTHONPATH", "")]
        # Its working directory is an empty folder, so that nothing is found or written there by mistake.
        self._folder = tempfile.TemporaryDirectory(prefix="wrong-inputs-")
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._folder.name,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"},
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run one request: argv, folder, environment, and the files for stdout and stderr."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def run_case(runner: Runner, case: Case, folder: Path) -> Ran:
    """Prepare and run a case in ``folder``, which is empty: ``folder/scratch`` is its working directory."""
    scratch, temporary = folder / "scratch", folder / "temporary"
    for new in (scratch, temporary, folder / "home"):
        new.mkdir()
    if case.prepare is not None:
        case.prepare(scratch)
    before = {**_contents(scratch), **_contents(temporary)}
    environment = {"TMPDIR": str(temporary), "HOME": str(folder / "home"), "SRCNN_CACHE": str(folder / "cache")}
    environment |= {name: value.replace("{dir}", str(scratch)) for name, value in case.environment.items()}
    answer = runner.ask(
        {
            "argv": [argument.replace("{dir}", str(scratch)) for argument in case.argv],
            "folder": str(scratch),
            "environment": environment,
            "out": str(folder / "out"),
            "error": str(folder / "error"),
        }
    )
    after = {**_contents(scratch), **_contents(temporary)}
    written = tuple(sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path)))
    out, error = ((folder / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "error"))
    return Ran(answer["code"], out, error, answer["memory"], answer["seconds"], answer["hung"], written)


def complaints(case: Case, ran: Ran) -> list[str]:
    """Return what is wrong with what came of a case, one sentence each; none: it is as it must be."""
    found = []
    if ran.hung:
        found.append(f"did not end within {LIMIT:.0f} s")
    elif ran.code != case.code:
        found.append(f"exit code {ran.code} in place of {case.code}; stdout: {ran.out[-300:]!r}; stderr: {ran.error!r}")
    if "Traceback" in ran.error or "Traceback" in ran.out:
        found.append(f"a traceback: {ran.error[-1500:]}")
    elif ran.error.count("\n") != 1 or not ran.error.endswith("\n"):
        found.append(f"not one line on stderr: {ran.error[:1500]!r}")
    if re.search(case.says, ran.error) is None:
        found.append(f"stderr does not match {case.says!r}: {ran.error[:1500]!r}")
    if len(ran.error) > 1000:
        found.append(f"a line of {len(ran.error)} characters on stderr")
    if ran.written:
        found.append(f"written: {', '.join(ran.written)}")
    if ran.memory > MEMORY:
        found.append(f"took {ran.memory / 2**20:.0f} MiB")
    return found


def all_cases() -> list[Case]:
    """Return the rows of all ``tests/wrong_inputs_AREA.py``."""
    modules = sorted(path.stem for path in Path(__file__).parent.glob("wrong_inputs_*.py"))
    cases = [case for module in modules for case in import_module(module).CASES]
    twice = [name for name, count in Counter(case.name for case in cases).items() if count > 1]
    assert not twice, f"several cases have the names {twice}"
    return cases


def picture(path: Path, width: int = 48, height: int = 40, seed: int = 0) -> Path:
    """Write a small photograph-like PNG, with folders, and return its path."""
    import numpy as np
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin((x * (seed % 7 + 2) + y * (channel + 1)) / 5 + seed) for channel in range(3)]
    Image.fromarray((120 + 90 * np.stack(waves, axis=-1)).astype(np.uint8)).save(path)
    return path


def two_sets(folder: Path) -> None:
    """Write ``train`` with four photographs and ``test`` with one, 48 x 40 pixels each."""
    for i in range(4):
        picture(folder / "train" / f"{i}.png", seed=i)
    picture(folder / "test" / "one.png", seed=9)


def _contents(folder: Path) -> dict[str, object]:
    """Return what lies in a folder: kind, size, owner's rights, link, and content of what is small."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        if path.name == ".ses":  # ONNX Runtime keeps the id of its session in the folder of temporary files
            continue
        at = path.lstat()
        known: tuple[object, ...] = (stat.S_IFMT(at.st_mode), stat.S_IMODE(at.st_mode), at.st_rdev)
        if stat.S_ISREG(at.st_mode):
            small = at.st_size <= _READ
            known += (at.st_size, hashlib.sha256(path.read_bytes()).hexdigest() if small else at.st_mtime_ns)
        elif stat.S_ISLNK(at.st_mode):
            known += (os.readlink(path),)
        found[str(path)] = known
    return found


def _serve() -> None:
    """Load all commands, then run a request for each line of stdin and answer it on stdout."""
    from srcnn.commands.main import COMMANDS

    for name in COMMANDS:
        import_module(f"srcnn.commands.{name}")
    import torch

    torch.set_num_threads(1)
    for name in ("SRCNN_DATA", "SRCNN_CACHE", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)
    for line in sys.stdin.buffer:
        answer = _fork(json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    os._exit(0)  # the libraries' own ends take seconds


def _fork(request: Mapping[str, Any]) -> dict[str, Any]:
    child = os.fork()
    if not child:
        _run(request)
    hung, end = False, time.monotonic() + LIMIT
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            hung = True
            os.killpg(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
            break
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it started and left
    seconds = used.ru_utime + used.ru_stime
    return {
        "code": os.waitstatus_to_exitcode(status),
        "memory": used.ru_maxrss * 1024,
        "seconds": seconds,
        "hung": hung,
    }


def _run(request: Mapping[str, Any]) -> None:
    """Run the command of a request in this child, which never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        for number, name in ((0, os.devnull), (1, request["out"]), (2, request["error"])):
            opened = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        sys.stdout, sys.stderr = _text(1), _text(2)
        os.chdir(request["folder"])
        os.environ.update(request["environment"])
        tempfile.tempdir = None
        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (held + _GUARD, held + _GUARD))
        sys.argv = ["srcnn", *request["argv"]]
        from srcnn.commands.main import main

        code = main(request["argv"])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _text(number: int) -> Any:
    """Return a text stream like that of a process in the locale C.UTF-8, whose output is a file."""
    return open(number, "w", encoding="utf-8", errors="backslashreplace" if number == 2 else "strict", closefd=False)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="wrong-inputs-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _report(pattern: str) -> int:
    """Run the cases whose names match, print what is wrong and a summary, and return the exit code."""
    cases = [case for case in all_cases() if re.search(pattern, case.name)]
    rows, wrong, skipped = [], 0, 0
    with Runner() as runner:
        for case in cases:
            with _folder() as folder:
                try:
                    ran = run_case(runner, case, folder)
                except pytest.skip.Exception as reason:
                    print(f"{case.name}: skipped, {reason}")
                    skipped += 1
                    continue
            found = complaints(case, ran)
            wrong += bool(found)
            rows.append((ran.seconds, ran.memory, case.name))
            for text in found:  # at once, for who watches a long run
                print(f"{case.name}: {text}", flush=True)
    print(f"{len(rows)} cases run, {skipped} skipped, {wrong} not as they must be")
    for name, key in (("slowest", 0), ("largest", 1)):
        for row in sorted(rows, key=lambda row: row[key], reverse=True)[:5]:
            print(f"  {name}: {row[0]:.2f} s, {row[1] / 2**20:.0f} MiB: {row[2]}")
    kinds = Counter(case.argv[0] if case.argv else "" for case in cases)
    print("  " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    return int(wrong > 0)


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        _serve()
    else:
        sys.exit(_report(sys.argv[1] if len(sys.argv) > 1 else ""))
