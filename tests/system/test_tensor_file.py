"""Tensors and a header in one file: what comes back, and what is refused. Files of the two kinds: their own modules' tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from srcnn.errors import CheckpointError
from srcnn.system.tensor_file import header_object, load_tensors, save_tensors


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
