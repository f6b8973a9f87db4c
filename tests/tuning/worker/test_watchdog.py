"""A hang of the whole interpreter ends the process and leaves a trace; a trial that reports in time leaves nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from srcnn.tuning.worker.watchdog import Watchdog, stalls

HANG = """
import sys, time
from pathlib import Path
from srcnn.tuning.worker.watchdog import Watchdog
def stuck():
    time.sleep(60)
Watchdog(Path(sys.argv[1]), 0.2).wait()
stuck()
"""


def test_a_process_that_hangs_is_gone_and_what_it_did_is_kept(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HANG, str(tmp_path)], capture_output=True, timeout=50, check=False)
    assert done.returncode == 1
    (trace,) = stalls(tmp_path)
    assert trace.name == "stall-1.txt" and "in stuck" in trace.read_text(encoding="utf-8")


def test_an_attempt_that_reports_leaves_nothing(tmp_path: Path) -> None:
    watchdog = Watchdog(tmp_path / "trial", 30.0)
    watchdog.wait()
    watchdog.pause()
    watchdog.wait(1.0)
    watchdog.close()
    assert list((tmp_path / "trial").iterdir()) == [] == stalls(tmp_path / "trial")


def test_attempts_are_counted(tmp_path: Path) -> None:
    (tmp_path / "stall-1.txt").write_text("earlier", encoding="utf-8")
    watchdog = Watchdog(tmp_path, 30.0)
    assert (tmp_path / "stall-2.txt").exists()
    watchdog.close()
    assert [file.name for file in stalls(tmp_path)] == ["stall-1.txt"]
