"""Tensors and a header in one file: what comes back, and what is refused. Files of the two kinds: their own modules' tests."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from srcnn.errors import CheckpointError, ConfigError
from srcnn.system.tensor_file import LARGEST, Claim, header_object, load_tensors, read_claims, save_tensors


def test_values_come_back_whatever_their_layout_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "t.safetensors"
    weight = torch.arange(24.0).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last)
    save_tensors(path, {"weight": weight, "half": weight[:1].bfloat16()}, {"kind": "network"})
    header, found = load_tensors(path, "network")
    assert header == {"format": "srcnn/1", "kind": "network"}
    assert torch.equal(found["weight"], weight) and found["half"].dtype == torch.bfloat16
    with safe_open(path, framework="np") as file:  # another reader of the format
        assert file.get_tensor("weight").tolist() == weight.tolist()


def test_a_file_of_another_kind_or_maker_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"a": torch.zeros(1)}, {"kind": "state"})
    with pytest.raises(CheckpointError, match=r"t\.safetensors: must have format srcnn/1 and kind"):
        load_tensors(path, "network")
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(CheckpointError, match="damaged or not a safetensors file"):
        load_tensors(path, "state")


@pytest.mark.parametrize("text", [None, "", "[1]", "1", "{"])
def test_a_part_of_the_header_must_be_an_object(text: str | None) -> None:
    header = {} if text is None else {"config": text}
    with pytest.raises(CheckpointError, match="a: damaged, its header has no config"):
        header_object(Path("a"), header, "config")
    assert header_object(Path("a"), {"config": '{"x": 1}'}, "config") == {"x": 1}


def packed(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def test_what_a_file_states_is_told_before_its_values_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"weight": torch.zeros(2, 3), "one": torch.zeros((), dtype=torch.uint8)}, {"kind": "network"})
    header, claims = read_claims(path, "network")
    assert header["format"] == "srcnn/1"
    assert claims == {"weight": Claim("F32", (2, 3)), "one": Claim("U8", ())}
    assert {str(claim) for claim in claims.values()} == {"F32 of shape 2x3", "U8 of shape ()"}

    def refuse(header: object, claims: object) -> None:
        raise ConfigError("not this one")

    with pytest.raises(ConfigError, match="not this one"):
        load_tensors(path, "network", refuse)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (struct.pack("<Q", 1 << 60), "its header must have at most 16 MiB"),
        (struct.pack("<Q", 100) + b"{}", "its header is incomplete"),
        (packed(b"[" * 1000), "must nest at most 4 deep"),
        (packed(b"[]"), "its header must be an object"),
        (packed(b'{"a": {"dtype": 1, "shape": []}}'), "a: must have a type and a shape"),
        (packed(b'{"a": {"dtype": "F32", "shape": [true]}}'), "a: must have a type and a shape"),
        (packed(b'{"a": 1, "a": 2}'), "'a' appears twice"),
        (packed(b'{"__metadata__": []}'), "its header must map names to texts"),
        (
            packed(b'{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}'),
            "damaged or not a safetensors file",
        ),
    ],
)
def test_a_header_that_states_too_much_or_nothing_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=says) as caught:
        read_claims(path, "network")
    assert "\n" not in str(caught.value)


def test_a_file_above_the_limit_and_what_is_no_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(CheckpointError, match="must have at most 256 MiB"):
        read_claims(path, "network")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CheckpointError, match="must be a regular file, but is a pipe"):
        read_claims(path, "network")
