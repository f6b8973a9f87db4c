"""The section ``tricks`` of the benchmark: short real runs, resuming, and figures that are counted by hand."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError

from checkout import EXPERIMENTS


class Here:
    """Runs in this process what the section gives to others."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*arguments))
        return done


@contextmanager
def here(jobs: int) -> Iterator[Here]:
    assert jobs in (1, 2)
    yield Here()


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """``module("bench")`` is experiments/bench.py; there are no data sets but the bundled ones, and no further processes."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SRCNN_DATA", str(tmp_path / "none"))
    small = {
        **importlib.import_module("_bench.trainings").CHAIN,
        "kernels": "3-3-3",
        "filters": "8-8",
        "precision": "fp32",
    }
    section = importlib.import_module("_bench.tricks")
    monkeypatch.setattr(section, "pool_of", here)
    monkeypatch.setattr(section, "CHAIN", small)
    return importlib.import_module


def interval_of(row: dict[str, Any], kind: str = "gain") -> tuple[float, float, float]:
    return row[kind]["mean"], row[kind]["low"], row[kind]["high"]


def test_rows_train_as_long_as_the_base_and_a_stopped_section_goes_on(
    module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    section, file = module("_bench.tricks"), tmp_path / "tricks.json"
    monkeypatch.setattr(section, "_QUICK_SECONDS", 0.05)
    monkeypatch.setattr(section, "_QUICK_PROBE", 2e4)
    rows = "batch 16;warm start;ensemble of 8 at test"
    command = ["tricks", "--quick", "--rows", rows, "--scales", "3", "--json", str(file)]
    assert module("bench").main(command) == 0
    printed = capsys.readouterr().out
    assert "x3 warm start" in printed
    assert "not complete: 5 seeds" in printed
    result = json.loads(file.read_text(encoding="utf-8"))["tricks"]
    assert set(result["runs"]) == {
        f"x3 {row} seed {seed}" for row in ("base", "batch 16", "warm start") for seed in (1, 2)
    }
    assert (result["train"], result["training_images"], len(result["held_out"])) == ("sample/train", 11, 3)
    speed = result["speed"]["x3"]
    steps = {name: result["runs"][f"x3 {name} seed 1"]["pixels"] for name in ("base", "batch 16", "warm start")}
    assert steps["base"] == steps["warm start"] == pytest.approx(speed["base_pixels"], abs=8 * 60**2)
    assert steps["batch 16"] == pytest.approx(speed["base_pixels"] / speed["ratio"]["batch 16"], abs=16 * 60**2)
    figures = {row["row"]: row for row in result["figures"]}
    assert [row["n"] for row in figures.values()] == [2] * 4
    assert figures["ensemble of 8 at test"]["pixels"] == figures["base"]["pixels"]
    assert result["complete"] is False

    def never(*_: Any) -> None:
        raise AssertionError("a training that is in the file must not run again")

    monkeypatch.setattr(module("_bench.trainings"), "run_training", never)
    assert module("bench").main(command) == 0
    assert json.loads(file.read_text(encoding="utf-8"))["tricks"]["runs"] == result["runs"]


def test_gains_are_counted_over_pairs_with_the_same_seed(module: Any) -> None:
    """By hand: gains 0.2, 0.3 and 0.4 over seeds; t with two degrees of freedom is 4.303, and 4.303 * 0.1 / sqrt(3) = 0.248."""
    common = {"scale": 2, "pixels": 1e6, "core_seconds": 9.0, "bicubic": [29.0, 31.0]}
    runs = {}
    for seed, gain in enumerate((0.2, 0.3, 0.4), start=1):
        psnr = [32.0 + seed, 34.0 - seed]
        base = {**common, "row": "base", "seed": seed, "psnr": psnr, "ensemble": [value + 0.05 for value in psnr]}
        runs[f"base {seed}"] = base
        runs[f"l1 {seed}"] = {**common, "row": "l1", "seed": seed, "psnr": [value + gain for value in psnr]}
    runs["l1 4"] = {**common, "row": "l1", "seed": 4, "psnr": [99.0, 99.0]}  # no base yet
    runs["base 5"] = {**common, "row": "base", "seed": 5, "psnr": [33.0, 33.0], "ensemble": [33.05, 33.05]}
    runs["l1 5"] = {"row": "l1", "scale": 2, "seed": 5, "failure": "loss is nan", "core_seconds": 1.0}
    found = module("_bench.tricks").figures({"runs": runs, "rows": {"base": {}, "l1": {}, "ensemble of 8 at test": {}}})
    base, l1, ensemble = found
    assert (base["n"], base["psnr"], base["over_bicubic"]) == (4, 33.0, 3.0)
    assert (l1["n"], l1["failed"]) == (3, 1)
    assert interval_of(l1) == pytest.approx((0.3, 0.052, 0.548), abs=1e-3)
    assert interval_of(ensemble) == pytest.approx((0.05, 0.05, 0.05))


def test_every_row_is_a_configuration_or_names_the_field_that_is_missing(module: Any) -> None:
    section = module("_bench.tricks")
    chain = module("_bench.trainings").CHAIN
    for trick in section.TRICKS:
        if trick.missing:
            with pytest.raises(ConfigError, match=f"needs the field {trick.missing[0]}"):
                section.chosen_rows(trick.name)
        else:
            for scale in (2, 3, 4):
                TrainConfig(**{**chain, **trick.fields, "scale": scale, "pixels": 1e6})
    assert [trick.name for trick in section.chosen_rows("batch 16")] == ["base", "batch 16"]
    with pytest.raises(ConfigError, match="did you mean 'batch 16'"):
        section.chosen_rows("batch 61")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--scales", "2,5"], "--scales: must be 2, 3 or 4"),
        (["--jobs", "3"], "--jobs: must be 1 or 2"),
        (["--seconds", "0"], "--seconds: must be above 0"),
        (["--rows", "l2"], "--rows: row 'l2' does not exist"),
    ],
)
def test_mistakes_are_one_line(module: Any, capsys: pytest.CaptureFixture[str], flags: list[str], says: str) -> None:
    assert module("bench").main(["tricks", *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {says}")
    assert error.count("\n") == 1
