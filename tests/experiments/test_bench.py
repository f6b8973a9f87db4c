"""The benchmark command: a real, short run of ``train``, what it counts, and how ``quality`` resumes. No time is asserted."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.errors import ConfigError
from srcnn.evaluation.degradation import degrade
from srcnn.system.own_process import one_process
from srcnn.training.patches import prepare

from checkout import EXPERIMENTS


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """``module("bench")`` is experiments/bench.py; there are no data sets but the bundled ones."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SRCNN_DATA", str(tmp_path / "none"))
    threads = torch.get_num_threads()

    def find(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield find
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_train_writes_what_a_reader_of_the_file_expects(
    module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "results" / "train.json"
    before = os.sched_getaffinity(0) if sys.platform == "linux" else None
    assert module("bench").main(["train", "--quick", "--kernels", "9-1-5", "--device", "cpu", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "9-1-5" in out
    assert "sample/train" in out
    result = json.loads(file.read_text(encoding="utf-8"))
    (row,) = result["train"]
    assert row["kernels"] == "9-1-5"
    assert row["data"] == "sample/train"
    assert row["n"] == 3
    for name in ("ours", "plain", "ratio", "peak_share"):
        low, high = row[f"{name}_spread"]
        assert 0 < low <= row[name] <= high
    assert row["ratio_spread"][0] >= row["ours_spread"][0] / row["plain_spread"][1]
    assert row["gflops"] == pytest.approx(row["ours"] * row["flops_per_pixel"] / 1e3)
    assert result["environment"]["versions"]["torch"] == torch.__version__
    assert result["environments"]["train"] == result["environment"]
    assert {"processor", "device", "cores", "commit", "date", "load"} <= result["environment"].keys()
    if before is not None:
        assert os.sched_getaffinity(0) == before


def test_train_deep_compares_two_checkouts(module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, checkout = tmp_path / "deep.json", EXPERIMENTS.parent
    arguments = ["train-deep", "--quick", "--device", "cpu", "--before", str(checkout), "--json", str(file)]
    deep = module("_bench.deep_chain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deep, "SCALES", (4,))
        assert module("bench").main(arguments) == 0
    assert "share of peak" in capsys.readouterr().out
    before, now = json.loads(file.read_text(encoding="utf-8"))["train-deep"]
    assert (before["arm"], before["ratio"], now["arm"], now["scale"]) == ("before", 1.0, "now", 4)
    # 15 x 15 positions; the first layer hands no gradient to the image.
    by_hand = 2 * 15 * 15 * 9 * (48 * 2 + 3 * (48 * 32 + 4 * 32 * 32 + 32 * 16))
    assert now["flops_per_pixel"] == pytest.approx(by_hand / 60**2)
    for row in (before, now):
        assert row["gflops"] == pytest.approx(row["mpixels"] * row["flops_per_pixel"] / 1e3)
        assert 0 < row["peak_share_spread"][0] <= row["peak_share"] <= row["peak_share_spread"][1]
    assert module("bench").main(["train-deep", "--before", str(tmp_path)]) == 2
    assert "--before: must be a checkout" in capsys.readouterr().err


def test_operations_of_a_step_by_hand(module: Any) -> None:
    train = module("_bench.train")
    # Without padding: 60 -> 52 -> 52 -> 48. The first layer hands no gradient to the image.
    ours = TrainConfig(kernels="9-1-5", pixels=1, patch_size=60, batch_size=8)
    by_hand = 2 * 52 * 52 * 81 * 64 * 2 + 2 * 52 * 52 * 64 * 32 * 3 + 2 * 48 * 48 * 25 * 32 * 3
    assert train.step_flops(ours) == 8 * by_hand
    # With zeros around, every layer computes all 33 x 33 positions.
    plain = train.plain_config("9-5-5")
    assert plain.output_size == 33
    assert train.step_flops(plain) == 16 * 2 * 33 * 33 * (81 * 64 * 2 + 25 * 64 * 32 * 3 + 25 * 32 * 3)


def test_the_plain_loop_learns_on_patches_of_33(module: Any) -> None:
    loop_of = module("_bench.plain").PlainLoop
    name, image = load("sample/train").images[0]
    image = image[100:200, 100:180]
    torch.manual_seed(0)
    loop = loop_of((9, 1, 5), (64, 32), prepare([(name, image)], 3), "cpu")
    degraded = degrade(image, 3)
    assert len(loop._loader.dataset) == 5 * 4  # floor((99 - 33) / 14) + 1 rows, floor((78 - 33) / 14) + 1 columns
    before = loop.psnr(degraded)
    pixels, seconds = loop.run(0.5)
    assert pixels % (33 * 33) == 0
    assert seconds > 0
    assert loop.psnr(degraded) > before


def test_a_ladder_takes_the_first_budget_that_reaches_a_goal(module: Any) -> None:
    quality = module("_bench.quality")
    psnrs = {1e6: 31.2, 2e6: 31.9, 4e6: None, 8e6: 32.1, 16e6: 32.5}
    made = []

    def train(job: Any) -> dict[str, Any]:
        made.append(job.name)
        psnr = psnrs[job.pixels]
        return {"pixels": job.pixels} | ({"failure": "dead"} if psnr is None else {"test_psnr": psnr})

    kept: dict[str, Any] = {}
    runs = quality.Runs(train, kept, lambda: None)
    reached = quality.climb(runs, "9-1-5", 1, (31.3, 32.0), sorted(psnrs))
    assert {goal: run["pixels"] for goal, run in reached.items()} == {31.3: 2e6, 32.0: 8e6}
    assert len(made) == 4  # 16M was not needed
    assert quality.climb(runs, "9-1-5", 1, (40.0,), sorted(psnrs)) == {}
    assert len(made) == len(kept) == 5  # what was made before was not made again


def test_on_a_gpu_runs_have_a_process_of_their_own(module: Any) -> None:
    """The same calls on the CPU."""
    quality = module("_bench.quality")
    images = [(name, image[100:196, 100:196]) for name, image in load("sample/train").images[:2]]
    held = [degrade(image, 3, name=name) for name, image in images]
    data = prepare(images, quality.SCALE)
    job = quality.Job("5-1-3", 2e5, 1)
    with one_process(quality._set_up, data, held, held, "cpu") as pool:
        apart = pool.submit(quality._in_process, job).result()
    here = quality._Trainer(data, held, held, "cpu")(job)
    assert apart["test_psnr"] == pytest.approx(here["test_psnr"])
    assert quality._trainer is None


def test_a_stopped_quality_section_goes_on_only_where_it_was_measured(module: Any, tmp_path: Path) -> None:
    record = module("_bench.record").Record
    file = tmp_path / "quality.json"
    here = {"device": "cpu", "commit": "1", "sources": "x", "date": "a", "load": 1.0}
    record(file, here).put("quality", {"complete": False})
    record(file, here).put("train", [1])
    assert record(file, {**here, "date": "b", "load": 2.0, "commit": "2"}).get("quality") == {"complete": False}
    assert record(file, {**here, "sources": "y"}).get("quality") is None
    assert json.loads(file.read_text(encoding="utf-8"))["train"] == [1]
    (tmp_path / "other.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigError, match="must contain results"):
        record(tmp_path / "other.json", here)


def test_summary_tells_how_many_and_how_far_apart(module: Any) -> None:
    summary = module("_bench.record").summary
    assert summary([3.0, 1.0, 2.0, 10.0]) == {"n": 4, "median": 2.5, "min": 1.0, "max": 10.0}
    assert summary([]) == {"n": 0}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_a_process_and_its_kind(module: Any) -> None:
    memory = module("_bench.memory")
    pss, uss = memory.read_memory(os.getpid())
    assert 10e6 < uss <= pss
    assert memory.kind_of(os.getpid(), os.getpid()) == "driver"
    assert memory.kind_of(os.getpid(), 1) == "ray"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "section 'trian' does not exist; did you mean 'train'?"),
        (["train", "--kernels", "9-1-4"], "kernels: every size must be odd"),
        (["train", "--kernels", "9-5"], "filters: must have one number for each layer except the last"),
        (["train", "--seeds", "0"], "--seeds: must be at least 1"),
        (["train", "--device", "tpu"], "device: must be auto, cpu, cuda"),
    ],
)
def test_mistakes_are_one_line(
    module: Any, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert module("bench").main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert says in error


def test_overlap_counts_what_it_invented_and_finds_the_real_pairs(
    module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "overlap.json"
    before = os.environ.get("SRCNN_CACHE")
    assert module("bench").main(["overlap", "--quick", "--json", str(file)]) == 0
    assert os.environ.get("SRCNN_CACHE") == before
    out = capsys.readouterr().out
    assert "the bundled sample takes the sets' place" in out
    result = json.loads(file.read_text(encoding="utf-8"))["overlap"]
    assert result["sets"] == ["sample/train", "sample/test"]
    assert (result["real"]["images"], result["real"]["pairs"], result["real"]["found"]) == (18, 153, [])
    invented = result["invented"]
    assert invented["count"] == 14  # each photograph once
    assert sum(kind["count"] for kind in invented["kinds"].values()) == 14
    assert sum(kind["found"] for kind in invented["kinds"].values()) == invented["found"]
    assert invented["found"] + len(invented["missed"]) == 14
    assert invented["found"] >= 8
    assert invented["false"] == 0
    assert invented["lowest"] >= result["threshold"]


def test_upscale_measures_every_way_on_the_same_photo(
    module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process; what OpenCV or ONNX Runtime cannot run, or where they are not installed, is skipped with a reason."""
    section = module("_bench.upscale")
    monkeypatch.setattr(section, "in_own_process", lambda function, *args: function(*args))
    monkeypatch.setattr(section, "_QUICK_SIZE", (70, 50))
    monkeypatch.setattr(section, "_SMALL_SIZE", (40, 30))
    file = tmp_path / "upscale.json"
    assert module("bench").main(["upscale", "--quick", "--json", str(file)]) == 0
    assert "times ours" in capsys.readouterr().out
    result = json.loads(file.read_text(encoding="utf-8"))["upscale"]
    rows = {row["way"]: row for row in result["rows"]}
    assert set(rows) == set(section.WAYS)
    run = {way: row for way, row in rows.items() if "skipped" not in row}
    assert {"ours", "ours, fp32", "plain torch, fp32"} <= set(run)
    for row in run.values():
        assert row["seconds"]["n"] == 1
        assert row["peak_mb"]["median"] > 50
        assert row["mean_level"] == pytest.approx(rows["ours"]["mean_level"], abs=3.0)  # Pillow has another Y


def test_a_folder_of_small_photos_is_enlarged_by_every_way(
    module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, which stays on its cores; ONNX Runtime is skipped with a reason where it is not installed."""
    section = module("_bench.small_photos")
    monkeypatch.setattr(section, "in_own_process", lambda function, way, n, _, folder: function(way, n, [], folder))
    monkeypatch.setattr(section, "_SIZE", (40, 30))
    file = tmp_path / "small.json"
    assert module("bench").main(["small-photos", "--quick", "--json", str(file)]) == 0
    assert "photos/s" in capsys.readouterr().out
    result = json.loads(file.read_text(encoding="utf-8"))["small-photos"]
    assert [row["way"] for row in result["rows"]] == list(section.FOLDER_WAYS)
    ours, other = result["rows"]
    assert (ours["files"], ours["seconds"]["n"], result["photos"]) == (4, 1, 4)
    assert "skipped" in other or other["files"] == 4


def test_a_big_photo_is_filled_with_images(module: Any) -> None:
    sources = [np.full((200, 300, 3), level, np.uint8) for level in (1, 2, 3)]
    photo = module("_bench.upscale").big_photo(700, 500, sources)
    assert photo.shape == (500, 700, 3)
    assert set(np.unique(photo)) == {1, 2, 3}
    assert (photo[0, ::300, 0] == [1, 2, 3]).all()
