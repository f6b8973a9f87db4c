"""The commands as a person types them: what they print and write, and mistakes as one line with exit code 2."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.imaging.image_files import write_image
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import save_network

from checkout import EXPERIMENTS
from command_parts import Command, photos, refusal

__all__ = ["photos"]

REAL = os.environ.get("SRCNN_DATA")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Command]]:
    """``command("train")`` is the ``main`` of experiments/train.py."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    monkeypatch.setenv("COLUMNS", "200")
    threads = torch.get_num_threads()

    def main(name: str) -> Command:
        found: Command = importlib.import_module(name).main
        return found

    yield main
    torch.set_num_threads(threads)


def checkpoint(path: Path, **fields: Any) -> Path:
    network = SRCNN(ModelConfig(**{"kernels": (3, 1), "filters": (2,), "scale": 3, **fields}))
    network.initialize("he", 0.1, torch.Generator().manual_seed(0))
    save_network(path, network.state_dict(), network.config)
    return path


# evaluate


def test_bicubic_on_the_bundled_sample(command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "scores.json"
    assert (
        command("evaluate")(["--weights", "bicubic", "--data", "sample/test", "--scale", "3", "--json", str(out)]) == 0
    )
    written = json.loads(out.read_text(encoding="utf-8"))
    assert [image["name"] for image in written["images"]] == ["astronaut", "camera", "chelsea", "coffee"]
    for figure in ("psnr", "ssim"):
        values = [image[figure] for image in written["images"]]
        assert written["mean"][figure] == pytest.approx(sum(values) / 4)
        assert all(20 < v < 45 for v in values) if figure == "psnr" else all(0.5 < v < 1 for v in values)
    assert (written["scale"], written["weights"], written["data"], written["skipped"]) == (
        3,
        "bicubic",
        "sample/test",
        [],
    )
    assert written["protocol"] == "srcnn"
    printed = capsys.readouterr().out
    for image in written["images"]:
        assert re.search(rf"{image['name']}\W+{image['psnr']:.2f}\W+{image['ssim']:.4f}", printed)


@pytest.mark.skipif(not REAL or not Path(REAL, "Set5").is_dir(), reason="$SRCNN_DATA holds no Set5")
def test_bicubic_on_set5_is_the_papers(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("evaluate")(["--weights", "bicubic", "--data", "Set5", "--scale", "3"]) == 0
    assert re.search(r"mean\W+30\.39\W+0\.8682", capsys.readouterr().out)  # TPAMI 2016, tables 2 and 3


def test_a_folder_of_ones_own_as_a_program_of_its_own(photos: Path) -> None:
    out = photos / "scores.json"
    program = [sys.executable, str(EXPERIMENTS / "evaluate.py")]
    arguments = ["--weights", "bicubic", "--data", str(photos / "test"), "--scale", "2", "--json", str(out)]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False, cwd=photos)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(out.read_text(encoding="utf-8"))["images"]) == 2
    arguments = ["--weights", "no.mat", "--data", "test", "--scale", "3"]
    failed = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False, cwd=photos)
    assert (failed.returncode, failed.stderr, failed.stdout) == (2, "error: no.mat: no such file\n", "")


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
def test_a_checkpoint_brings_its_scale(command: Any, photos: Path, upsampling: str) -> None:
    weights = checkpoint(photos / "network.safetensors", upsampling=upsampling, scale=4)
    out = photos / "scores.json"
    assert command("evaluate")(["--weights", str(weights), "--data", str(photos / "test"), "--json", str(out)]) == 0
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["scale"] == 4
    assert len(written["images"]) == 2


def test_equal_images_have_no_number_in_json(command: Any, tmp_path: Path) -> None:
    """JSON has no infinity: what `json.dumps` would write, other readers refuse."""
    write_image(tmp_path / "flat" / "flat.png", np.full((24, 24), 90, dtype=np.uint8))
    out = tmp_path / "scores.json"
    arguments = ["--weights", "bicubic", "--data", str(tmp_path / "flat"), "--scale", "2", "--json", str(out)]
    assert command("evaluate")(arguments) == 0

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    written = json.loads(out.read_text(encoding="utf-8"), parse_constant=refuse)
    assert written["images"][0]["psnr"] is None


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--weights", "bicubic", "--data", "test", "--scale", "5"], ["--scale", "5"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "x"], ["--scale", "'x'"]),
        (["--weights", "bicubic", "--data", "test"], ["--scale", "bicubic"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "3", "--treads", "1"], ["--treads", "--threads"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "3", "--scal=3"], ["--scal:", "--scale"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "3", "--threads", "0"], ["--threads", "0"]),
        (["--weights", "bicubic", "--data", "set5", "--scale", "3"], ["'set5'", "Set5"]),
        (["--weights", "bicubic", "--data", "nowhere", "--scale", "3"], ["'nowhere'"]),
        (["--weights", "bicubic", "--data", "empty", "--scale", "3"], ["empty", "no image"]),
        (["--weights", "bicubic", "--data", "Set5", "--scale", "3", "--data-root", "no"], ["Set5", "fetch"]),
        (["--weights", "no.safetensors", "--data", "test"], ["no.safetensors: no such file"]),
        (["--weights", "no.mat", "--data", "test", "--scale", "3"], ["no.mat: no such file"]),
        (["--weights", "text.safetensors", "--data", "test"], ["text.safetensors"]),
        (["--weights", "network.safetensors", "--data", "test", "--scale", "2"], ["--scale", "3", "2"]),
        (["--weights", "network.safetensors", "--data", "test", "--device", "gpu"], ["device", "'gpu'"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "3", "--json", "test"], ["--json", "test"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "3", "--json", "file/a.json"], ["--json", "file"]),
        (["--weights", "bicubic", "--scale", "3"], ["--data"]),
    ],
    ids=" ".join,
)
def test_mistakes_of_evaluate(
    command: Any,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    parts: list[str],
) -> None:
    monkeypatch.chdir(photos)
    checkpoint(photos / "network.safetensors")
    (photos / "text.safetensors").write_text("text")
    (photos / "file").write_text("text")
    (photos / "empty").mkdir()
    error = refusal(command("evaluate"), arguments, capsys)
    assert all(part in error for part in parts), error


def test_a_corrupt_image_is_refused_or_skipped(command: Any, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = photos / "test" / "bad.png"
    whole = next(p for p in (photos / "test").iterdir()).read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    out = photos / "scores.json"
    arguments = ["--weights", "bicubic", "--data", str(photos / "test"), "--scale", "3", "--json", str(out)]
    error = refusal(command("evaluate"), arguments, capsys)
    assert str(bad) in error
    assert "--skip-bad" in error
    assert not out.exists()
    assert command("evaluate")([*arguments, "--skip-bad"]) == 0
    assert "skipped 1 unreadable: bad.png" in capsys.readouterr().out
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["skipped"] == ["bad.png"]
    assert len(written["images"]) == 2
