"""Flags from configuration fields, and errors as one line with exit code 2."""

from __future__ import annotations

import argparse
import errno
import sys

import pytest

from srcnn.commands.command_line import Parser, add_fields, given_fields, run
from srcnn.errors import ConfigError
from srcnn.tuning.planning.settings import SearchSettings


def test_the_word_none_stays_a_schedulers_name() -> None:
    parser = Parser()
    add_fields(parser, SearchSettings)
    options = parser.parse_args(["--scheduler", "none", "--validation", "none"])
    assert given_fields(options, SearchSettings) == {"scheduler": "none", "validation": None}


def test_a_misspelt_flag_is_one_line_with_suggestions(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser()
    parser.add_argument("--trials")
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--trails", "3"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: --trails: no such flag; did you mean --trials?\n"


def test_errors_and_interrupts_have_their_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    def wrong() -> int:
        raise ConfigError("scale: must be 2, 3 or 4, but got 5")

    def interrupted() -> int:
        raise KeyboardInterrupt

    assert run(lambda: 1, "") == 1
    assert run(wrong, "") == 2
    assert capsys.readouterr().err == "error: scale: must be 2, 3 or 4, but got 5\n"
    assert run(interrupted, "interrupted, nothing was written") == 130
    assert capsys.readouterr().err == "interrupted, nothing was written\n"


def test_a_file_that_cannot_be_written_and_a_full_disk_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def refused() -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/proc/out.json")

    def full() -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert (run(refused, ""), run(full, "")) == (2, 2)
    assert capsys.readouterr().err == "error: /proc/out.json: Permission denied\nerror: No space left on device\n"


def test_a_defect_is_one_line_and_its_traceback_is_shown_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_a_library() -> int:
        raise OSError("something\nelse")

    def empty() -> int:
        return dict[str, int]()["a"]

    assert (run(of_a_library, ""), run(empty, "")) == (1, 1)
    first, second, *rest = capsys.readouterr().err.split("\n")
    assert first.startswith(
        "error: this is a defect of this program, and --debug shows its traceback: OSError in test_comm"
    )
    assert first.endswith(": something\\nelse")
    assert ("KeyError in test_command_line.py" in second, rest) == (True, [""])
    monkeypatch.setenv("SRCNN_DEBUG", "")
    assert Parser().parse_args(["--debug"]) == argparse.Namespace()
    assert run(of_a_library, "") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("error: this is a defect")


def test_a_limit_on_processes_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def no_thread() -> int:
        raise RuntimeError("can't start new thread")

    def no_process() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    assert (run(no_thread, ""), run(no_process, "")) == (2, 2)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(
        line.startswith("error: processes: this user may start no more processes and threads (") for line in lines
    )
    assert all(line.endswith("; ulimit -u is the limit") for line in lines)


def test_too_little_memory_and_endless_nesting_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def no_memory() -> int:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 12 bytes.")

    def deep() -> int:
        return deep()

    assert (run(no_memory, ""), run(deep, "")) == (2, 2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: memory: this machine has too little for what was asked for ([enforce fail]")
    assert lines[1:] == ["error: what was given nests too deeply to be read"]


def test_a_line_is_short_and_has_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    def long() -> int:
        raise ConfigError("name: must be short, but got " + "n" * 5000)

    def escaping() -> int:
        raise ConfigError("name: got \x1b[31m\udcff\u202e.png")

    def long_path() -> int:
        raise OSError(errno.ENAMETOOLONG, "File name too long", "n" * 5000)

    assert (run(long, ""), run(escaping, ""), run(long_path, "")) == (2, 2, 2)
    first, second, third = capsys.readouterr().err.splitlines()
    assert (len(first) < 1000, first[:20]) == (True, "error: name: must be")
    assert second == "error: name: got \\x1b[31m\\xff\\u202e.png"
    assert len(third) < 300
    assert third.endswith("nnn... (5000 characters): File name too long")


def test_a_description_fits_the_terminal_and_commands_stay_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    command = f"    do --this {'and-that ' * 8}".rstrip()
    words = "a word after another one " * 8
    parser = Parser(description=f"What it does.\n\n{command}\n\n{words}\n\nfirst: {words}\n  {words}\nsecond: short")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert command in lines
    assert max(len(line) for line in lines if line != command) <= 60
    assert "second: short" in lines
    assert sum(line.startswith(("  another", "  word", "  a ")) for line in lines) > 2


def test_an_error_names_commands_as_the_installed_program_has_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong() -> int:
        raise ConfigError("weights: not there; fetch them with: python experiments/data.py fetch weights")

    monkeypatch.setattr(sys, "argv", ["bin/srcnn", "evaluate"])
    assert run(wrong, "") == 2
    assert capsys.readouterr().err == "error: weights: not there; fetch them with: srcnn data fetch weights\n"
