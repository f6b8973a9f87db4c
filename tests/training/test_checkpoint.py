"""Weights and states on disk: round trips, what the file says about itself, and files that are not what they should be."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from srcnn.config.architecture import ModelConfig
from srcnn.config.training import TrainConfig
from srcnn.errors import CheckpointError
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network, read_header, save_network
from srcnn.training.checkpoint import TrainState, load_state, save_state
from srcnn.training.fit import fit
from srcnn.training.patches import prepare


def network(**fields: Any) -> SRCNN:
    built = SRCNN(ModelConfig(**{"kernels": (3, 1, 3), "filters": (4, 3), **fields}))
    built.initialize("he", 0.1, torch.Generator().manual_seed(0))
    return built


def state() -> TrainState:
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    config = TrainConfig(kernels=(3, 1, 3), filters=(4, 3), patch_size=12, batch_size=2, epochs=2)
    return next(fit(config, prepare([("noise", image)], 3), device=torch.device("cpu"))).state()


def test_a_state_comes_back(tmp_path: Path) -> None:
    written = state()
    save_state(tmp_path / "state.safetensors", written)
    found = load_state(tmp_path / "state.safetensors")
    assert found.config == written.config
    assert dict(found.numbers) == dict(written.numbers)
    assert found.tensors.keys() == written.tensors.keys()
    assert all(torch.equal(value, written.tensors[name]) for name, value in found.tensors.items())


def test_a_state_from_before_a_field_existed_has_its_default(tmp_path: Path) -> None:
    path, written = tmp_path / "state.safetensors", state()
    newer = {"pretrain", "pretrain_share", "loss", "charbonnier_epsilon", "mse_share", "ema", "cycles", "cycle_growth"}
    newer |= {"expansion", "late_patch_size", "late_share", "reduced_copies", "weight_decay"}
    fields = written.config.model_dump(mode="json", exclude=newer)
    assert newer <= set(written.config.model_dump())
    about = {"format": "srcnn/1", "kind": "state", "numbers": json.dumps(dict(written.numbers))}
    tensors = {name: tensor.contiguous() for name, tensor in written.tensors.items()}
    save_file(tensors, path, {**about, "config": json.dumps(fields)})
    assert load_state(path).config == written.config


@pytest.mark.parametrize("read", [load_network, load_state, read_header])
class TestBrokenFiles:
    """What every reader says of a file that it cannot use."""

    def refused(self, read: Any, path: Path, message: str = "") -> None:
        with pytest.raises(CheckpointError, match=rf"^.*{path.name}: .*{message}") as caught:
            read(path)
        assert str(path) in str(caught.value)

    def test_missing(self, tmp_path: Path, read: Any) -> None:
        self.refused(read, tmp_path / "a.safetensors", "no such file")

    @pytest.mark.parametrize("content", [b"", b"1234567", b"text " * 100, b"\xff" * 64])
    def test_not_safetensors(self, tmp_path: Path, read: Any, content: bytes) -> None:
        path = tmp_path / "a.safetensors"
        path.write_bytes(content)
        self.refused(read, path, "damaged or not a safetensors file")

    def test_a_folder(self, tmp_path: Path, read: Any) -> None:
        self.refused(read, tmp_path)

    def test_a_pickle_is_not_run(self, tmp_path: Path, read: Any) -> None:
        class Payload:
            def __reduce__(self) -> tuple[Any, ...]:
                return Path.touch, (tmp_path / "it ran",)

        path = tmp_path / "a.safetensors"
        path.write_bytes(pickle.dumps(Payload()))
        self.refused(read, path)
        torch.save({"weights": torch.zeros(3)}, path)
        self.refused(read, path)
        assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]

    @pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"format": "srcnn/2", "kind": "network"}])
    def test_safetensors_of_others(self, tmp_path: Path, read: Any, metadata: dict[str, str] | None) -> None:
        path = tmp_path / "a.safetensors"
        save_file({"weight": torch.zeros(3)}, path, metadata)
        self.refused(read, path, "must have format srcnn/1")

    def test_the_other_kind(self, tmp_path: Path, read: Any) -> None:
        path = tmp_path / "a.safetensors"
        if read is load_state:
            save_network(path, network().state_dict(), network().config)
        else:
            save_state(path, state())
        self.refused(read, path, "must have format srcnn/1 and kind")

    @pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
    def test_broken_off(self, tmp_path: Path, read: Any, share: float) -> None:
        path = tmp_path / "a.safetensors"
        if read is load_state:
            save_state(path, state())
        else:
            save_network(path, network().state_dict(), network().config)
        raw = path.read_bytes()
        path.write_bytes(raw[: int(len(raw) * share)])
        self.refused(read, path)

    @pytest.mark.parametrize("config", [None, "{", '"text"', '{"kernels": [2, 2]}'])
    def test_a_header_without_a_sound_configuration(self, tmp_path: Path, read: Any, config: str | None) -> None:
        path = tmp_path / "a.safetensors"
        kind = "state" if read is load_state else "network"
        about = {"format": "srcnn/1", "kind": kind, "extra": "{}", "numbers": "{}"}
        save_file({"weight": torch.zeros(3)}, path, about if config is None else {**about, "config": config})
        if read is read_header and config == '{"kernels": [2, 2]}':
            return  # it hands the configuration out as it is
        self.refused(read, path)


@pytest.mark.parametrize("numbers", ["{", "[]", "{}"])
def test_a_state_without_its_numbers_is_refused(tmp_path: Path, numbers: str) -> None:
    path = tmp_path / "state.safetensors"
    about = {
        "format": "srcnn/1",
        "kind": "state",
        "config": TrainConfig(epochs=1).model_dump_json(),
        "numbers": numbers,
    }
    save_file({"weight": torch.zeros(3)}, path, about)
    with pytest.raises(CheckpointError, match=r"state\.safetensors"):
        load_state(path)
