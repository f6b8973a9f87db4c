"""The table that explains a foreign PSNR, from figures and folders to the sentence that names the deviation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srcnn.commands import doctor, psnr_table
from srcnn.commands.psnr_table import explained
from srcnn.data.datasets import load
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.deviations import Explanation, Measured
from srcnn.imaging.image_files import write_image
from srcnn.imaging.metrics import quantize


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder ``test`` of two colour photographs, and ``big``: the same from their bicubic thirds, in RGB."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    for name, image in load("sample/test").images:
        if image.ndim == 3:
            corner = image[60:156, 90:186]
            write_image(tmp_path / "test" / f"{name}.png", corner)
            large = quantize(degrade(corner, 3, color="rgb").bicubic).astype(np.uint8)
            write_image(tmp_path / "big" / f"{name}_x3.png", large)
    return tmp_path


def table(*arguments: str) -> int:
    return doctor.main(["--set", "test", "--scale", "3", *arguments])


def rows(file: str = "table.json") -> dict[str, float]:
    written = json.loads(Path(file).read_text(encoding="utf-8"))
    return {" + ".join(one["names"]): one["psnr"] for one in written["rows"]}


def test_figures_lead_to_their_deviation(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert table("--psnr", "90", "--json", "table.json") == 1
    out = capsys.readouterr().out
    assert "none explains 90 dB within 0.5 dB; the nearest is" in out
    assert "pairs the nearest 12 are shown" in out
    figures = rows()
    for name in ("RGB instead of Y", "PSNR of the mean squared error of all images"):
        assert table("--psnr", f"{figures[name]:.3f}", "--json", "one.json") == 0
        assert f"explained by: {name}" in capsys.readouterr().out
        assert json.loads(Path("one.json").read_text(encoding="utf-8"))["conclusion"].startswith(
            f"explained by: {name}"
        )
    assert table("--psnr", f"{figures['']:.2f}") == 0
    assert "is the figure of the protocol itself" in capsys.readouterr().out


def test_the_time_is_said_before_where_there_are_many_pixels(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert table("--psnr", "90") == 1
    assert "expected" not in capsys.readouterr().out
    monkeypatch.setattr(psnr_table, "_MANY", 96 * 96)  # the pixels of one of the photographs
    for flags in ((), ("--images", "big"), ("--model", "champion")):
        assert table("--psnr", "90", *flags) == 1
        line = capsys.readouterr().out.splitlines()[0]
        assert re.fullmatch(
            r"expected: about \d+ (s|min), and \d+ (s|min) more if only two deviations together explain the figure",
            line,
        )


def test_upscaled_images_from_a_folder(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert table("--psnr", "90", "--images", "big", "--json", "table.json") == 1
    given = rows()["RGB instead of Y + no shaving"]
    capsys.readouterr()
    assert table("--psnr", f"{given:.4f}", "--images", "big") == 0
    assert "explained by: RGB instead of Y + no shaving" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--psnr", "high"], "--psnr: must be a number such as 36.9, but got 'high'"),
        (["--psnr", "nan"], "--psnr: must lie between 0 and 200 dB, but got 'nan'"),
        (["--psnr", "-3"], "--psnr: must lie between 0 and 200 dB, but got '-3'"),
        (["--psnr", "30", "--images", "nowhere"], "nowhere: no such folder"),
        (["--psnr", "30", "--images", "few"], "--images: few must have one file for "),
        (["--psnr", "30", "--images", "twice"], "--images: twice must have one file for "),
        (["--psnr", "30", "--images", "big", "--model", "bicubic"], "--model: must not be given with --images"),
        (["--psnr", "30", "--model", "none.safetensors"], "none.safetensors: no such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line(
    photos: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    (first, *_) = sorted((photos / "big").iterdir())
    (photos / "few").mkdir()
    (photos / "few" / "other.png").write_bytes(first.read_bytes())
    (photos / "twice").mkdir()
    for file in (photos / "big").iterdir():
        (photos / "twice" / file.name).write_bytes(file.read_bytes())
    (photos / "twice" / first.name.replace("_x3", "-again")).write_bytes(first.read_bytes())
    try:
        code: Any = table(*arguments)
    except SystemExit as leaving:
        code = leaving.code
    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1)
    assert error.startswith(f"error: {words}")


def test_the_sentence_names_neighbours() -> None:
    near = [Measured((name,), 30.0 + d, d) for d, name in enumerate(("a", "b", "c", "d", "e"))]
    found = Explanation((Measured((), 40.0, 10.0), *near), (), 5.0)
    assert explained(found, "30") == "explained by: a (30.000 dB); within 5 dB are also: b, c, d, and 1 more"
