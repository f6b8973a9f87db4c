"""What a search prints before it starts: short at 80 columns, whole with --verbose."""

from __future__ import annotations

import re
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from srcnn.commands.search_start import expected_line, near, resume_command, show_plan, show_resume, show_start
from srcnn.tuning.planning.estimate import estimate
from srcnn.tuning.planning.plan import Plan

from planned_search import SPEED, plan
from space_text import GOOD, write


@pytest.fixture
def workplace(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(photos)
    write(photos, GOOD)
    return photos


def text_of(planned: Plan, *, short: bool, width: int = 80) -> str:
    text = StringIO()
    console = Console(file=text, width=width, force_terminal=True, color_system=None, legacy_windows=False)
    if short:
        show_start(console, planned, resume=False)
    else:
        show_plan(console, planned)
    return re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue())


def test_the_short_plan(workplace: Path) -> None:
    planned = plan(validation=1, judging=1, name="a-long-name-for-a-search-20261129-191500", sampler="tpe")
    text = text_of(planned, short=True)
    lines = text.splitlines()
    assert len(lines) <= 12
    assert all(len(line) <= 80 for line in lines)
    joined = " ".join(text.split())
    for words in (
        "search a-long-name-for-a-search-20261129-191500",
        "trials 50 at x3, up to 0.15 million training pixels each; weak ones are stopped (asha)",
        "the best 3 of each scale with 2 new seeds; the winner with 3 more",
        "(space.yaml)",
        "to train on, 1 to choose by, 1 to judge; at the end test (2)",
        "goes to mlruns/ray/a-long-name",
    ):
        assert words in joined
    log = StringIO()
    show_start(Console(file=log, width=80), planned, resume=False)
    assert len(log.getvalue().splitlines()) == 7  # in a log nothing is wrapped
    assert "1 new seed; the winner" in " ".join(
        text_of(plan(validation=1, judging=1, choice_seeds=1), short=True).split()
    )
    single = plan(validation=1, confirm=False, scheduler="asha")
    said = " ".join(text_of(single, short=True).split())
    assert "the best single trial of each scale wins, not confirmed" in said
    assert "weak ones are stopped (asha)" in said


def test_the_whole_plan(workplace: Path) -> None:
    planned = plan(validation=1, judging=1, objectives=("gain", "macs"), sampler="tpe", confirm=False)
    said = text_of(planned, short=False, width=200)
    for words in ("search x", "tpe; optimises ", "space.yaml: ", "none: nothing is confirmed", "test (2 images)"):
        assert words in said


def test_the_expected_cost(workplace: Path) -> None:
    few = plan(validation=1, judging=1, trials=4)
    line = expected_line(estimate(few, SPEED, 2))
    assert line.startswith("about ")
    assert "4 trials" in line
    assert "core-hours, 2 at a time" in line
    found = estimate(few, SPEED, 2)
    assert found.most >= found.confirmation.trials > 0
    assert (
        f"{found.confirmation.trials} to {found.most} confirmations" in line or found.most == found.confirmation.trials
    )


def test_how_to_resume(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan(validation=1)
    there = planned.settings.replace(storage="/srv/storage")
    assert resume_command(there) == "python experiments/search.py --resume x --storage /srv/storage"
    assert resume_command(planned.settings, trials=9) == "python experiments/search.py --resume x --trials 9"
    monkeypatch.setattr(sys, "argv", ["/opt/bin/srcnn", "search"])
    assert resume_command(planned.settings) == "srcnn search --resume x"


@pytest.mark.parametrize("width", [60, 80])
def test_the_command_that_resumes_is_whole_in_every_plan(workplace: Path, width: int) -> None:
    planned = plan(validation=1, judging=1, name="a-long-name-for-a-search-20261129-191500")
    for short in (True, False):  # a table would break it
        assert "--resume" not in text_of(planned, short=short, width=width)
    text = StringIO()
    show_resume(
        Console(file=text, width=width, force_terminal=True, color_system=None, legacy_windows=False), planned.settings
    )
    line = re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue())
    assert line == f"if it stops  {resume_command(planned.settings)}\n"


def test_paths_as_seen_from_here(workplace: Path) -> None:
    assert near(Path.cwd() / "a" / "b") == Path("a/b")
    assert near(Path("/elsewhere/b")) == Path("/elsewhere/b")
