"""ONNX files: what ONNX Runtime computes, their operators and metadata, and what is not written."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srcnn.errors import CheckpointError, ConfigError
from srcnn.export.onnx_file import METADATA, OPSET, onnx_model, save_onnx
from srcnn.export.plain_network import expected

from small_network import small_network

onnx = pytest.importorskip("onnx", reason="onnx is not installed: the extra export")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: the extra export")


def session(file: Path) -> Any:
    return runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    "fields",
    [{}, {"residual": False, "padding": "zeros"}, {"color": "rgb"}, {"activation": "prelu", "padding": "zeros"}],
    ids=str,
)
def test_onnx_runtime_computes_the_protocol(
    tmp_path: Path, upsampling: str, scale: int, fields: dict[str, object]
) -> None:
    network = small_network(upsampling=upsampling, scale=scale, **fields)
    file = tmp_path / "new" / "a.onnx"
    assert save_onnx(network, file) < 1e-5
    run = session(file)
    for height, width in ((1, 1), (3, 2), (40, 25)):
        small = np.random.default_rng(height).random((height, width, network.config.channels), dtype=np.float32)
        (large,) = run.run(["large"], {"small": np.stack([small.transpose(2, 0, 1)] * 2)})
        assert large.shape == (2, network.config.channels, height * scale, width * scale)
        assert np.abs(large - expected(network, small).transpose(2, 0, 1)).max() < 1e-5


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    network = small_network(scale=3)
    save_onnx(network, tmp_path / "a.onnx", {"model": "champion"})
    model = onnx.load(tmp_path / "a.onnx")
    assert [entry.version for entry in model.opset_import] == [OPSET]
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert set(about) == {*METADATA, "model"}
    assert (about["scale"], about["licence"]) == ("3", "Apache-2.0")
    assert json.loads(about["config"]) == network.config.model_dump(mode="json")
    assert "Y of YCbCr" in about["input"]
    run = session(tmp_path / "a.onnx")
    assert run.get_inputs()[0].shape == ["batch", 1, "height", "width"]
    assert run.get_outputs()[0].shape == ["batch", 1, "3*height", "3*width"]
    assert {node.op_type for node in model.graph.node} == {
        "Pad",
        "Slice",
        "Concat",
        "Conv",
        "DepthToSpace",
        "Relu",
        "Add",
    }


def test_a_file_that_computes_something_else_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, file = small_network(scale=2), tmp_path / "a.onnx"
    file.write_bytes(b"old")
    other = onnx_model(small_network(scale=2, residual=False))
    monkeypatch.setattr("srcnn.export.onnx_file.onnx_model", lambda *_: other)
    with pytest.raises(CheckpointError, match="not written, because its output must agree"):
        save_onnx(network, file)
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]
    assert file.read_bytes() == b"old"


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError) as caught:
        save_onnx(small_network(), tmp_path / "a.onnx")
    assert (
        str(caught.value) == f"onnx: needs the package {package}, which is not installed; pip install 'srcnn[export]'"
    )
    assert list(tmp_path.iterdir()) == []


def test_importing_the_module_loads_no_onnx() -> None:
    assert "import onnx" not in Path(str(importlib.import_module("srcnn.export.onnx_file").__file__)).read_text(
        encoding="utf-8"
    ).partition("class _Graph")[0].replace("if TYPE_CHECKING:\n    from onnx import ModelProto", "")
