"""The command data: which images show the same photograph, and the state of the sets."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from srcnn.commands import data
from srcnn.imaging.image_files import write_image

from command_parts import refusal


def test_overlap_lists_pairs_within_and_between_sets(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = str(leaky / "train"), str(leaky / "test")
    assert data.main(["overlap", train, test]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(rf"{train}: copy = {test}: face, similarity 0\.9\d\d, scale 1\.33", lines[0])
    assert lines[1] == "6 images, 15 pairs: 1 pair shows the same photograph"
    write_image(Path(train, "again.png"), np.asarray(Image.open(Path(train, "copy.png")))[:, ::-1])
    assert data.main(["overlap", train]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        rf"{train}: again = {train}: copy, similarity (0\.99\d|1\.000), scale 1\.00, mirrored", lines[0]
    )
    assert data.main(["overlap", "sample/train", "sample/test"]) == 0
    assert capsys.readouterr().out == "18 images, 153 pairs: no two show the same photograph\n"
    assert data.main(["overlap", "T19"]) == 2
    assert "T19" in capsys.readouterr().err


def test_the_list_has_every_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data.main(["list", "--data-root", str(tmp_path)]) == 0
    lines = capsys.readouterr().out
    assert re.search(r"sample/test .* installed .* verified", lines)
    assert re.search(r"Set5 .* absent", lines)


def test_a_set_that_is_named_must_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data.main(["verify", "--data-root", str(tmp_path)]) == 0
    assert data.main(["verify", "Set5", "--data-root", str(tmp_path)]) == 1
    assert "Set5: absent" in capsys.readouterr().out
    assert "'set5'" in refusal(data.main, ["verify", "set5"], capsys)


def test_the_list_of_sets_is_readable_in_a_narrow_terminal(tmp_path: Path) -> None:
    text = StringIO()
    data.show(tmp_path, Console(file=text, width=60))
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    head = next(line for line in lines if line.split() == ["name", "files", "where", "state", "source"])
    assert max(map(len, lines)) <= 60
    states = [line[head.index("state") :].split()[0] for line in lines if line.startswith((" Set", " T91"))]
    assert states == ["absent"] * 3  # not broken in the middle of a word
