"""Networks on disk: round trips, and what the file says about itself."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.config.training import TrainConfig
from srcnn.errors import CheckpointError
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network, read_header, save_network


def network(**fields: Any) -> SRCNN:
    built = SRCNN(ModelConfig(**{"kernels": (3, 1, 3), "filters": (4, 3), **fields}))
    built.initialize("he", 0.1, torch.Generator().manual_seed(0))
    return built


def header_of(path: Path) -> dict[str, Any]:
    """Read by the format's own description: 8 bytes of length, little-endian, then that much JSON."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header: dict[str, Any] = json.loads(raw[8 : 8 + length])
    return header


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"upsampling": "pixel_shuffle", "scale": 4},
        {"color": "rgb", "residual": False},
        {"padding": "zeros"},
        {"activation": "prelu"},
    ],
)
def test_a_network_comes_back(tmp_path: Path, fields: dict[str, Any]) -> None:
    built = network(**fields).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    path = tmp_path / "new" / "network.safetensors"
    save_network(path, built.state_dict(), built.config)
    found = load_network(path)
    assert found.config == built.config
    assert not found.training
    assert found.state_dict().keys() == built.state_dict().keys()
    assert all(torch.equal(value, built.state_dict()[name]) for name, value in found.state_dict().items())
    assert [p.name for p in path.parent.iterdir()] == ["network.safetensors"]


def test_the_whole_recipe_and_the_extra_data_are_kept(tmp_path: Path) -> None:
    config = TrainConfig(kernels=(3, 1, 3), filters=(4, 3), learning_rate=0.5, epochs=3)
    extra = {"epoch": 3, "psnr": 32.5, "data": {"name": "T91", "digest": "é"}}
    path = tmp_path / "network.safetensors"
    save_network(path, network().state_dict(), config, extra)
    header = read_header(path)
    assert header["extra"] == extra
    assert TrainConfig(**header["config"]) == config
    assert load_network(path).config == config.architecture


def test_a_file_from_before_a_field_has_its_default(tmp_path: Path) -> None:
    """Networks of earlier versions name no activation."""
    built, path = network(), tmp_path / "network.safetensors"
    save_network(path, built.state_dict(), built.config)
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    text = raw[8 : 8 + length].decode()
    assert '\\"activation\\":\\"relu\\"' in text
    older = text.replace(',\\"activation\\":\\"relu\\"', "").encode()
    assert len(older) < length
    path.write_bytes(struct.pack("<Q", len(older)) + older + raw[8 + length :])
    assert load_network(path).config == built.config


def test_slopes_that_are_missing_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_network(path, network().state_dict(), network(activation="prelu").config)
    with pytest.raises(CheckpointError, match=r"(?s)do not match.*slopes\.0"):
        load_network(path)


def test_without_extra_data_there_is_none(tmp_path: Path) -> None:
    save_network(tmp_path / "n.safetensors", network().state_dict(), network().config)
    assert read_header(tmp_path / "n.safetensors")["extra"] == {}


def test_the_file_is_plain_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_network(path, network().state_dict(), network().config)
    header = header_of(path)
    about = header.pop("__metadata__")
    assert (about["format"], about["kind"]) == ("srcnn/1", "network")
    assert json.loads(about["config"])["kernels"] == [3, 1, 3]
    assert {name: entry["shape"] for name, entry in header.items()} == {
        "layers.0.weight": [4, 1, 3, 3],
        "layers.0.bias": [4],
        "layers.1.weight": [3, 4, 1, 1],
        "layers.1.bias": [3],
        "layers.2.weight": [1, 3, 3, 3],
        "layers.2.bias": [1],
    }
    assert {entry["dtype"] for entry in header.values()} == {"F32"}


def test_writing_again_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    for number in (1, 2):
        save_network(path, network().state_dict(), network().config, {"number": number})
    assert read_header(path)["extra"] == {"number": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_network(path, network().state_dict(), ModelConfig(kernels=(3, 1, 3), filters=(8, 3)))
    with pytest.raises(CheckpointError, match=r"network\.safetensors: weights and configuration do not match"):
        load_network(path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match=r"network\.safetensors"):
        save_network(tmp_path / "file" / "network.safetensors", network().state_dict(), network().config)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_no_finite_number_is_named(tmp_path: Path, value: float) -> None:
    built, path = network(), tmp_path / "n.safetensors"
    weights = {name: tensor.clone() for name, tensor in built.state_dict().items()}
    weights["layers.1.weight"][2, 3] = value
    save_network(path, weights, built.config)
    with pytest.raises(
        CheckpointError, match=r"layers\.1\.weight: every weight must be a finite number, but 1 of 12 are not"
    ):
        load_network(path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"filters": (400_000_000, 3)}, r"layers\.0\.weight must be F32 of shape 400000000x1x3x3|filters"),
        ({"kernels": (3, 1, 3, 3), "filters": (4, 3, 3)}, r"layers\.2\.weight must be F32 of shape 3x3x3x3"),
        ({"activation": "prelu"}, r"slopes\.0 is missing"),
    ],
)
def test_a_larger_network_than_the_file_holds_is_never_made(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    built, path = network(), tmp_path / "n.safetensors"
    save_network(path, built.state_dict(), built.config)
    header, raw = header_of(path), path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    about = header["__metadata__"]
    about["config"] = json.dumps({**json.loads(about["config"]), **changes})
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])
    with pytest.raises(CheckpointError, match=rf"weights and configuration do not match: ({says})"):
        load_network(path)
