"""Jobs with a fault at every point: recorded, broken, given again, and compared with the job that nothing disturbed.

A job runs in forked processes of one process that has loaded the libraries, so that a case takes a fraction of a second.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _faults.points import FAULTS, Fault, Point, watch

__all__ = [
    *("Case", "Ended", "Job", "State", "Tally", "cases_of", "difference", "forked", "run_case", "run_job", "some"),
]

_LONGEST = 120.0  # seconds after which a case hangs
State = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """A piece of work that is done again after a fault."""

    name: str
    prepare: Callable[[Path], object]  #: writes what the job starts from into an empty folder
    act: Callable[[Path], int]  #: does the job, or goes on with it; returns the exit code of the command
    state: Callable[[Path], State]  #: what must be the same after every fault
    whole: Callable[[Path, State], Sequence[str]] | None = None  #: what is wrong right after a fault
    watched: tuple[Path, ...] = ()  #: folders whose files are points, beside the job's own
    rest: float = 0.0  #: seconds to wait after a kill, for the processes that end with the killed one
    seconds: float = _LONGEST  #: time after which it hangs
    twice: bool = True  #: whether doing it again without a fault is tried first
    certain: bool = True  #: whether each point is reached in every run; else some depend on the time


@dataclass(frozen=True)
class Ended:
    """How a forked process ended."""

    code: int  #: exit code; negative: the number of a signal
    said: str  #: what it wrote to the standard error stream
    answer: Any = None


@dataclass
class Tally:
    """Counts and problems of one job."""

    points: int = 0  #: of the job that nothing disturbs
    names: int = 0  #: different names of these points
    cases: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)  #: files of killed processes that nobody reads, by kind

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a case."""
        self.cases[row["kind"]] += 1
        self.ends[row["end"]] += 1
        self.problems += row["problems"]
        self.left.update(row["left"])

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serializable data."""
        return {
            "points": self.points,
            "names": self.names,
            "cases": dict(self.cases),
            "ends": dict(self.ends),
            "left": dict(self.left),
            "problems": self.problems,
        }


@dataclass(frozen=True)
class Case:
    """One job with one fault."""

    job: Job
    fault: Fault


def forked(scratch: Path, function: Callable[..., Any], *given: Any, seconds: float = _LONGEST) -> Ended:
    """Call a function in a forked process; what it returns must be JSON-serializable.

    Args:
        scratch: folder for its output.
        function: the function; a returned integer is the exit code.
        given: its arguments.
        seconds: time after which it is killed, and ended with code -14.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    out, err, answer = scratch / "out.txt", scratch / "err.txt", scratch / "answer.json"
    answer.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _child(function, given, out, err, answer)
    end = time.monotonic() + seconds
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return Ended(-signal.SIGALRM, err.read_text(errors="replace"))
        time.sleep(0.002)
    found = json.loads(answer.read_text()) if answer.exists() else None
    return Ended(os.waitstatus_to_exitcode(status), err.read_text(errors="replace"), found)


def _child(function: Callable[..., Any], given: Sequence[Any], out: Path, err: Path, answer: Path) -> None:
    code = 1
    try:
        for number, file in ((1, out), (2, err)):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        found = function(*given)
        code = found if isinstance(found, int) else 0
        if not isinstance(found, int):
            answer.write_text(json.dumps(found))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _acted(job: Job, folder: Path, fault: Fault | None, log: Path | None) -> int:
    os.chdir(folder)
    watch([folder, *job.watched], fault, log)
    return job.act(folder)


def some(points: Iterable[Point]) -> list[Point]:
    """Return the first, the second and the last point of each name."""
    by_name: dict[str, list[Point]] = {}
    for point in points:
        by_name.setdefault(point.name, []).append(point)
    return [one for same in by_name.values() for one in dict.fromkeys((*same[:2], same[-1]))]


def matching(points: Iterable[Point], pattern: str) -> list[Point]:
    """Return the points whose names a regular expression matches."""
    return [point for point in points if re.search(pattern, point.name)]


def cases_of(job: Job, points: Iterable[Point], faults: Sequence[str] = FAULTS) -> Iterator[Case]:
    """Yield every possible case of the points."""
    for point in points:
        for kind in faults:
            if (fault := Fault(kind, point)).possible:
                yield Case(job, fault)


def read_points(log: Path) -> list[Point]:
    """Return the points of a log of `watch`."""
    return [Point(*json.loads(line)) for line in log.read_text().splitlines()]


def recorded(job: Job, base: Path, scratch: Path) -> tuple[list[Point], State]:
    """Do a job that nothing disturbs, twice; return its points and the state that it leaves.

    Raises:
        RuntimeError: the job fails, or a second time changes what the first one left.
    """
    log, folder = scratch / "points.txt", scratch / "case"
    log.unlink(missing_ok=True)
    fresh(base, folder)
    states = []
    for first in (True, False) if job.twice else (True,):
        ended = forked(scratch, _acted, job, folder, None, log if first else None, seconds=job.seconds)
        if ended.code:
            raise RuntimeError(f"{job.name}: code {ended.code} without a fault: {ended.said}")
        states.append(_state(job, folder, scratch))
    if states[0] != states[-1]:
        raise RuntimeError(f"{job.name}: doing it again changes {difference(states[0], states[-1])}")
    return read_points(log), states[0]


def _state(job: Job, folder: Path, scratch: Path) -> State:
    ended = forked(scratch, job.state, folder)
    if ended.code:
        raise RuntimeError(f"{job.name}: its state cannot be read: {ended.said}")
    found: State = ended.answer
    return found


def fresh(base: Path, folder: Path) -> None:
    """Make a folder a copy of another one."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder, symlinks=True)


def difference(wanted: State, found: State) -> str:
    """Return where a state differs from another one, in one line."""
    keys = [key for key in sorted({*wanted, *found}) if wanted.get(key) != found.get(key)]
    shown = [
        f"{key}: {str(found.get(key, 'missing'))[:200]} for {str(wanted.get(key, 'nothing'))[:200]}" for key in keys
    ]
    return "; ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")


def run_case(case: Case, base: Path, scratch: Path, wanted: State) -> tuple[str, list[str]]:
    """Run one case. Return how the broken process ended, and its problems."""
    job, fault, folder = case.job, case.fault, scratch / "case"
    fresh(base, folder)
    ended = forked(scratch, _acted, job, folder, fault, None, seconds=job.seconds)
    end = _end_of(ended)
    where, problems = f"{job.name}: {fault.kind} at {fault.point}", []
    said = (ended.said.strip().splitlines() or [""])[-1][:300]
    if end in ("hung", "traceback", "nothing said"):
        problems.append(f"{where}: {end}: {said}")
    if end == "killed":
        time.sleep(job.rest)
    if (fault.kind in ("kill", "torn")) != (end == "killed"):
        if not job.certain and end == "went on":
            return "not reached", []
        problems.append(f"{where}: {end}, so the point was not reached: {said}")
    if job.whole is not None:
        wrong = forked(scratch, job.whole, folder, wanted)
        problems += [f"{where}: {one}" for one in wrong.answer or ([wrong.said] if wrong.code else [])]
    again = forked(scratch, _again, job, folder, seconds=job.seconds)
    code, found = again.answer or (again.code or 1, None)
    said = (again.said.strip().splitlines() or [""])[-1][:300]
    if code:
        problems.append(f"{where}: given again, code {code}: {said}")
    elif found is None:
        problems.append(f"{where}: then its state cannot be read: {said}")
    elif found != wanted:
        problems.append(f"{where}: then {difference(wanted, found)}")
    return end, problems


def _again(job: Job, folder: Path) -> tuple[int, State | None]:
    """Do a job and return its code and the state that it leaves, in one process, which opens the store once."""
    code = _acted(job, folder, None, None)
    try:
        return code, None if code else job.state(folder)
    except Exception:
        traceback.print_exc()
        return code, None


def _end_of(ended: Ended) -> str:
    if ended.code == -signal.SIGKILL:
        return "killed"
    if ended.code == -signal.SIGALRM:
        return "hung"
    if "Traceback" in ended.said:
        return "traceback"
    if ended.code == 0:
        return "went on"
    lines = len(ended.said.strip().splitlines())
    return "one line" if lines == 1 else "several lines" if lines else "nothing said"


def left_over(folder: Path) -> list[str]:
    """Return the files and folders of killed processes that nobody reads any more, as kinds."""
    found = (path.name for path in folder.rglob("*"))
    kinds = (name[: name.index("-") + 1] if name.startswith((".writing-", ".fetching-")) else "" for name in found)
    return [kind for kind in kinds if kind]


def run_job(
    job: Job,
    scratch: Path,
    done: Path,
    *,
    every: bool = True,
    faults: Sequence[str] = FAULTS,
    part: tuple[int, int] = (1, 1),
    only: str = "",
) -> Tally:
    """Run all cases of a job, or a slice of them, and print each problem.

    Args:
        job: the job.
        scratch: folder for it, made anew.
        done: file of the cases that were run, one JSON object a line; they are counted, and not run again.
        every: all points; False: the first, the second and the last of each name.
        faults: kinds of faults.
        part: k and n: every n-th case, from the k-th.
        only: regular expression; points whose names it does not match are left out.
    """
    base, folder, tally = scratch / "base", scratch / "case", Tally()
    for one in (base, folder):
        shutil.rmtree(one, ignore_errors=True)
    folder.mkdir(parents=True)
    made = forked(scratch, lambda: _made(job, folder))
    if made.code:
        raise RuntimeError(f"{job.name}: {made.said}")
    fresh(folder, base)  # stores name absolute paths, so that every case has the same folder
    points, wanted = recorded(job, base, scratch)
    tally.points, tally.names = len(points), len({point.name for point in points})
    known = set()
    for row in map(json.loads, done.read_text(encoding="utf-8").splitlines() if done.exists() else ()):
        if row["job"] == job.name:
            known.add(row["case"])
            tally.add(row)
    chosen = list(cases_of(job, matching(points if every else some(points), only), faults))[part[0] - 1 :: part[1]]
    for case in chosen:
        name = f"{case.fault.kind} at {case.fault.point}"
        if name in known:
            continue
        end, problems = run_case(case, base, scratch, wanted)
        row = {"job": job.name, "case": name, "kind": case.fault.kind, "end": end, "problems": problems}
        row["left"] = left_over(folder)
        tally.add(row)
        with done.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(*problems, sep="\n", end="\n" if problems else "", flush=True)
    return tally


def _made(job: Job, folder: Path) -> int:
    os.chdir(folder)
    job.prepare(folder)
    return 0
