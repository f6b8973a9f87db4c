"""What tests of commands share: photographs to work on, and mistakes as a person makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from srcnn.data.datasets import load
from srcnn.imaging.image_files import write_image

__all__ = ["TINY", "Command", "photos", "refusal", "wide_console"]

Command = Callable[[list[str]], int]
#: A network and a run that take a second.
TINY = ("--kernels", "3-1-3", "--filters", "8-8", "--patch-size", "12", "--batch-size", "4", "--epoch-pixels", "2560")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with ``train`` and ``test``: corners of the bundled photographs."""
    for kind, count in (("train", 4), ("test", 2)):
        images = [(name, image) for name, image in load(f"sample/{kind}").images if image.ndim == 3]
        for name, image in images[-count:]:
            write_image(tmp_path / kind / f"{name}.png", image[100:160, 100:160])
    return tmp_path


@pytest.fixture
def wide_console(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tables are not folded; a command may set the number of threads."""
    monkeypatch.setenv("COLUMNS", "200")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def refusal(main: Command, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a mistake; argparse leaves by SystemExit, everything else by the exit code."""
    try:
        code: Any = main(arguments)
    except SystemExit as leaving:
        code = leaving.code
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert error.endswith("\n")
    return error
