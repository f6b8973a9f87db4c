"""A card is read strictly; what is no card is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srcnn.champions.card import read_card
from srcnn.errors import CheckpointError, ConfigError

CARD = {
    "scale": 3,
    "file": "x3.safetensors",
    "sha256": "0" * 64,
    "size": 10,
    "configuration": {"scale": 3, "epochs": 1},
    "training_pixels": 1e6,
    "parameters": 8129,
    "macs": 8032.0,
    "origin": {"training": {"name": "T91", "digest": "d"}, "seeds": [1, 2]},
    "protocol": "srcnn",
    "scores": [
        {
            "name": "Set5",
            "images": 5,
            "digest": "d",
            "psnr": 32.0,
            "ssim": 0.9,
            "bicubic_psnr": 30.39,
            "bicubic_ssim": 0.8682,
        }
    ],
    "speed": {"megapixels_per_second": 1.0, "side": 480, "threads": 1, "machine": "m"},
    "licence": "Apache-2.0",
}


def written(path: Path, **changes: object) -> Path:
    path.write_text(json.dumps({**CARD, **changes}), encoding="utf-8")
    return path


def test_a_card_is_read(tmp_path: Path) -> None:
    card = read_card(written(tmp_path / "x3.json"))
    assert (card.scale, card.origin.seeds, card.configuration.kernels) == (3, (1, 2), (9, 1, 5))
    assert card.score("Set5").psnr == 32.0
    with pytest.raises(ConfigError, match=r"Set14: the card of x3\.safetensors has Set5"):
        card.score("Set14")
    assert read_card(written(tmp_path / "again.json", **card.model_dump(mode="json"))) == card


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": 5}, "scale: "),
        ({"sha256": "x"}, "sha256: "),
        ({"scle": 3}, "field 'scle' does not exist; did you mean 'scale'?"),
        ({"configuration": {"kernels": "9-2-5"}}, "kernels"),
    ],
    ids=str,
)
def test_a_wrong_card_is_one_line_with_its_file(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    path = written(tmp_path / "x3.json", **changes)
    with pytest.raises(CheckpointError) as caught:
        read_card(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: not a card of a network (")
    assert words in text
    assert "\n" not in text


def test_no_card_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"x3\.json: no such file"):
        read_card(tmp_path / "x3.json")
    (tmp_path / "x3.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match=r"x3\.json: not a card of a network"):
        read_card(tmp_path / "x3.json")
