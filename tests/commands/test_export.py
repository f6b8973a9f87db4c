"""export.py: what it writes and says; mistakes leave nothing behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from srcnn.commands.export import main
from srcnn.model.weights_file import save_network

from small_network import small_network


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    network = small_network(scale=3)
    save_network(tmp_path / "network.safetensors", network.state_dict(), network.config)
    (tmp_path / "old.onnx").write_bytes(b"old")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_onnx(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: the extra export")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: the extra export")
    assert main(["--model", "network.safetensors", "--out", "new/x3.onnx"]) == 0
    said = capsys.readouterr().out
    assert "new/x3.onnx: 5-3-3 (8-6), bicubic, x3; ONNX, opset 17, compared in ONNX Runtime" in said
    assert "largest difference to the protocol: " in said
    about = {entry.key: entry.value for entry in onnx.load(folder / "new/x3.onnx").metadata_props}
    assert (about["model"], about["scale"]) == ("network.safetensors", "3")
    assert main(["--scale", "3", "--out", "old.onnx", "--force"]) == 0  # the champion
    assert (folder / "old.onnx").read_bytes() != b"old"


def test_torch_export_under_another_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "network.safetensors", "--out", "x3.bin", "--format", "pt2"]) == 0
    assert "torch.export" in capsys.readouterr().out
    assert (folder / "x3.bin").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "a.onnx"], "--scale: must be given as 2, 3 or 4, because champion does not contain it"),
        (
            ["--out", "a.txt", "--scale", "3"],
            "--out: must end with .onnx or .pt2 unless --format is given, but got a.txt",
        ),
        (["--out", "old.onnx", "--scale", "3"], "--out: old.onnx exists; --force replaces it"),
        (["--out", ".", "--format", "onnx"], "--out: must be a file in a folder"),
        (["--out", "old.onnx/a.onnx"], "--out: must be a file in a folder"),
        (["--model", "bicubic", "--scale", "3", "--out", "a.onnx"], "--model: must be a network, but got bicubic"),
        (["--model", "network.safetensors", "--scale", "2", "--out", "a.onnx"], "--scale: must be 3"),
        (["--scale", "3"], "--out"),
        (["--scale", "3", "--out", "a.onnx", "--forse"], "--forse: no such flag; did you mean --force"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_leave_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    try:
        code: object = main(arguments)
    except SystemExit as leaving:
        code = leaving.code
    error = capsys.readouterr().err
    assert code == 2
    assert words in error
    assert error.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_without_onnx_one_line_says_what_to_install(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["--model", "network.safetensors", "--out", "a.onnx"]) == 2
    assert "which is not installed; pip install 'srcnn[export]'" in capsys.readouterr().err
    assert not (folder / "a.onnx").exists()
