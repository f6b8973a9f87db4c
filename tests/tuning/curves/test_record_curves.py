"""A recording is complete, goes on after a kill as if there had been none, and is what a replay reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import record
import replay as command
import torch
from optuna import logging as optuna_logging

from srcnn.data.datasets import load
from srcnn.errors import ConfigError
from srcnn.tuning.curves.curve_table import CurveTable, read_table
from srcnn.tuning.curves.record_curves import Recording
from srcnn.tuning.curves.record_curves import record as train_grid
from srcnn.tuning.space.space_file import load_space

GRID = """\
parameters:
  n1: {type: categorical, choices: [2, 4]}
  learning_rate: {type: categorical, choices: [1.0e-4, 1.0e-3]}
constants: {scale: 3, kernels: 3-1-3, n2: 2, patch_size: 24, batch_size: 4}
"""


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    optuna_logging.set_verbosity(optuna_logging.INFO)


@pytest.fixture
def recording(workplace: Path) -> Recording:
    (workplace / "grid.yaml").write_text(GRID, encoding="utf-8")
    return Recording(load_space(workplace / "grid.yaml"), load("train"), 2, 123, 8000, 2, (1, 2))


def curves(table: CurveTable) -> list[Any]:
    return [[(dict(p), c.seed, c.objective) for c in some] for p, some in zip(table.params, table.curves, strict=True)]


def test_a_killed_recording_goes_on_where_it_stopped(workplace: Path, recording: Recording) -> None:
    whole = train_grid(recording, workplace / "whole.csv.gz")
    assert len(whole.params) == 4
    assert [[c.seed for c in some] for some in whole.curves] == [[1, 2]] * 4
    assert not (workplace / "whole.csv.gz.runs").exists()
    names: list[str] = []

    class KilledError(Exception):
        pass

    def kill(number: int, count: int, name: str, value: float) -> None:
        names.append(name)
        if number == 3:
            raise KilledError

    out = workplace / "killed.csv.gz"
    with pytest.raises(KilledError):
        train_grid(recording, out, kill)
    assert not out.exists()
    runs = workplace / "killed.csv.gz.runs"
    with runs.open("a", encoding="utf-8") as file:
        file.write('{"params": {"n1": 2')  # a kill in the middle of a line
    again = train_grid(recording, out, lambda *said: names.append(said[2]))
    assert len(names) == len(set(names)) == 8
    assert curves(again) == curves(whole)
    # What the file keeps is rounded.
    assert read_table(out).params == whole.params


def test_unfinished_work_of_other_settings_is_refused(workplace: Path, recording: Recording) -> None:
    out = workplace / "t.csv.gz"
    other = Recording(recording.space, recording.images, 2, 123, 9000, 2, (1,))
    with pytest.raises(ZeroDivisionError):
        train_grid(recording, out, lambda *_: 1 // 0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"budget: .*8000.*, but got 9000"):
        train_grid(other, out)


def test_a_run_that_fails_is_recorded_as_failed(workplace: Path) -> None:
    (workplace / "hot.yaml").write_text(
        "parameters:\n  learning_rate: {type: categorical, choices: [1.0e-3, 1.0e+30]}\n"
        "constants: {scale: 3, kernels: 3-1-3, n1: 2, n2: 2, patch_size: 24, batch_size: 4, optimizer: sgd}\n",
        encoding="utf-8",
    )
    hot = Recording(load_space(workplace / "hot.yaml"), load("train"), 2, 123, 8000, 2, (1,))
    table = train_grid(hot, workplace / "hot.csv")
    assert sorted(some[0].failed for some in table.curves) == [False, True]
    assert [some[0].failed for some in read_table(workplace / "hot.csv").curves] == [
        some[0].failed for some in table.curves
    ]


def test_both_commands_from_images_to_figures(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "grid.yaml").write_text(GRID, encoding="utf-8")
    recorded = ["--space", "grid.yaml", "--train", "train", "--validation", "2", "--budget", "8k", "--seeds", "1"]
    assert record.main([*recorded, "--out", "t.csv.gz"]) == 0
    assert "4 configurations, 1 seed each" in capsys.readouterr().out
    flags = ["--tables", "t.csv.gz", "--workers", "1,3", "--repetitions", "4", "--processes", "1"]
    assert command.main([*flags, "--methods", "ours,stock,random", "--plot", "p.png", "--json", "f.json"]) == 0
    printed = capsys.readouterr().out
    assert "3 workers" in printed
    assert "stock's" in printed
    assert "regret in dB after a share of random's compute" in printed
    assert max(map(len, printed.splitlines())) <= 100
    assert printed.index("regret in dB after") < printed.index("until one of the best is found")
    assert "no configuration ran twice" in printed
    found = json.loads(Path("f.json").read_text(encoding="utf-8"))
    assert found["provenance"]["command"].startswith("python experiments/replay.py --tables t.csv.gz")
    assert (found["provenance"]["n"], found["provenance"]["seed"]) == (4, 0)
    (table,) = found["tables"]
    assert table["developed_on"] is False
    figures = table["figures"]
    assert [(f["method"], f["workers"]) for f in figures] == [
        (m, w) for w in (1, 3) for m in ("ours", "stock", "random")
    ]
    assert all(f["of"]["random"][0] == 1.0 for f in figures if f["method"] == "random" and f["reached"][0] == 1)
    assert all(len(f["regret_of_random"]) == len(found["random_shares"]) == 4 for f in figures)
    assert all(0 <= f[share][1] <= f[share][0] <= f[share][2] <= 1 for f in figures for share in ("lost", "dropped"))
    assert Path("p.png").stat().st_size > 1000
    assert table["about"]["seed"] == [1]
    assert record.main([*recorded, "--out", "u.csv.gz"]) == 0
    capsys.readouterr()
    several = ["--tables", "t.csv.gz", "u.csv.gz", "--workers", "2", "--repetitions", "3", "--processes", "1"]
    assert command.main([*several, "--methods", "top-k,random", "--switch-seconds", "0.1", "--json", "f.json"]) == 0
    assert "over 2 tables" in capsys.readouterr().out
    found = json.loads(Path("f.json").read_text(encoding="utf-8"))
    assert [t["table"] for t in found["tables"]] == ["t.csv.gz", "u.csv.gz"]
    assert [line["tables"] for line in found["over_tables"]] == [2, 2]
    assert found["switch_seconds"] == 0.1
    assert command.main([*several, "--methods", "random+asha,random", "--until-best", "--json", "f.json"]) == 0
    found = json.loads(Path("f.json").read_text(encoding="utf-8"))
    lines = [*found["tables"][0]["figures"], *found["over_tables"]]
    assert all("lost" in line and "regret_of_random" in line for line in lines)
    assert not any("regret" in line or "dropped" in line for line in lines)
    assert command.main([*several, "--methods", "grid+none"]) == 0
    assert "regret in dB after a share of the grid's cost" in capsys.readouterr().out
    assert command.main([*several, "--plot", "p.png"]) == 2
    assert "--plot: must be used with one table, but --tables has 2" in capsys.readouterr().err
    assert record.main([*recorded, "--out", "t.csv.gz"]) == 2
    assert "--out: must be a new file, but t.csv.gz exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--workers", "0"], "--workers: must be numbers from 1 to 1000 joined by commas, but got '0'"),
        (["--workers", "1,many"], "--workers: must be numbers from 1 to 1000 joined by commas, but got '1,many'"),
        (["--repetitions", "1"], "--repetitions: must be at least 2, but got 1"),
        (["--repetitions", "x"], "argument --repetitions: invalid int value: 'x'"),
        (["--tolerance", "-1"], "--tolerance: must be at least 0 dB, but got -1.0"),
        (["--tolerance", "nan"], "--tolerance: must be at least 0 dB, but got nan"),
        (["--methods", "our"], "method 'our' does not exist; did you mean 'ours'?"),
        (["--methods", "tpe+fast"], "scheduler 'fast' does not exist"),
        (["--processes", "0"], "--processes: must be at least 1, but got 0"),
        (["--methods", "random+top-4-of-3"], "K of top-K-of-N must be from 1 to N, but got 4 of 3"),
        (["--switch-seconds", "-1"], "--switch-seconds: must be at least 0 seconds, but got -1.0"),
        (["--switch-seconds", "inf"], "--switch-seconds: must be at least 0 seconds, but got inf"),
        (
            ["--methods", "ours", "--until-best"],
            "--until-best: must be used with the method random, but --methods is ours",
        ),
        (["--until-best", "--plot", "p.png"], "--until-best: must be used without --plot"),
        (["--seed", "-1"], "--seed: must be at least 0, but got -1"),
        (["--scale", "3"], "--scale: must be given only with --search, but got 3 without it"),
        (["--tables", "none.csv"], "none.csv: cannot be read"),
        (["--tables", "a.csv", "a.csv"], "--tables: must differ, but got a.csv a.csv"),
        (["--plot", "p.txt"], "--plot: must end in .png, .svg or .pdf, but got p.txt"),
        (["--plot", "none/p.png"], "--plot: must lie in a folder that exists, but got none/p.png"),
        (["--json", "none/f.json"], "--json: must lie in a folder that exists, but got none/f.json"),
        (["--search", "x", "--tracking-uri", "sqlite:///none.db"], "there is no store at sqlite:///none.db"),
        (["--works", "1"], "--works: no such flag; did you mean --workers"),
    ],
)
def test_a_mistake_is_one_line(
    workplace: Path, capsys: pytest.CaptureFixture[str], flags: list[str], line: str
) -> None:
    try:
        code: Any = command.main(flags)
    except SystemExit as leaving:
        code = leaving.code
    error = capsys.readouterr().err
    assert code == 2
    assert line in error
    assert error.count("\n") == 1


def test_recording_mistakes_are_one_line(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags, line in (
        (["--seeds", "0"], "--seeds: must be at least 1, but got 0"),
        (["--space", "space.yaml", "--train", "train"], "scale: must be a single one for a table"),
        (
            ["--space", "space.yaml", "--train", "train", "--budget", "much"],
            "must be a number of training pixels such as 8M",
        ),
        (["--space", "none.yaml"], "none.yaml: cannot be read"),
    ):
        assert record.main(flags) == 2
        error = capsys.readouterr().err
        assert line in error
        assert error.count("\n") == 1
