"""The shipped networks: whole, small, as their cards say; damaged or missing files are one line."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from srcnn.champions import champion_card, load_champion
from srcnn.champions.make import LARGEST
from srcnn.champions.shipped import (
    FOLDER,
    SCALES,
    SIZES,
    card_file,
    champion_names,
    size_of_name,
    weights_file,
)
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.errors import CheckpointError, ConfigError
from srcnn.evaluation.protocol import evaluate
from srcnn.model.network import count_macs, count_parameters
from srcnn.model.weights_file import read_header

from checkout import ROOT

REAL = os.environ.get("SRCNN_DATA")
SHIPPED_SIZES = [str(size_of_name(name)) for name in champion_names()]
SHIPPED = [(scale, size) for size in SHIPPED_SIZES for scale in SCALES]


@pytest.mark.parametrize(("scale", "size"), SHIPPED)
def test_a_card_belongs_to_its_weights(scale: int, size: str) -> None:
    file = weights_file(scale, size=size)
    card, content = champion_card(scale, size=size), file.read_bytes()
    assert (card.scale, card.file, card.size) == (scale, file.name, len(content))
    assert card.sha256 == hashlib.sha256(content).hexdigest()
    assert len(content) < LARGEST
    network = load_champion(scale, size=size)
    assert not network.training
    assert all(getattr(card.configuration, name) == value for name, value in network.config)
    # Fields that are younger than the file have their defaults.
    assert TrainConfig(**read_header(file)["config"]) == card.configuration
    assert card.parameters == count_parameters(network.config) <= SIZES[size]
    assert card.macs == count_macs(network.config)


@pytest.mark.parametrize(("scale", "size"), SHIPPED)
def test_a_card_says_where_the_network_comes_from(scale: int, size: str) -> None:
    card = champion_card(scale, size=size)
    assert [score.name for score in card.scores] == ["Set5", "Set14", "BSDS300/test"]
    assert [score.images for score in card.scores] == [5, 14, 100]
    assert all(score.psnr > score.bicubic_psnr + 0.5 and score.ssim > score.bicubic_ssim for score in card.scores)
    assert card.origin.overlap == ()  # no test image was trained on
    assert any("302003 shows woman_GT of Set5" in line for line in card.origin.left_out)
    assert card.origin.seeds[0] == card.configuration.seed
    assert card.origin.commands[-1].startswith("python experiments/champion.py ")
    assert (card.protocol, card.licence) == ("srcnn", "Apache-2.0")


@pytest.mark.skipif(not REAL or not Path(REAL, "Set5").is_dir(), reason="$SRCNN_DATA holds no Set5")
@pytest.mark.parametrize(("scale", "size"), SHIPPED)
def test_set5_gives_the_figures_of_the_card(scale: int, size: str) -> None:
    images, score = load("Set5"), champion_card(scale, size=size).score("Set5")
    assert score.digest == images.digest
    for network, psnr, ssim in (
        (load_champion(scale, size=size), score.psnr, score.ssim),
        (None, score.bicubic_psnr, score.bicubic_ssim),
    ):
        found = evaluate(network, images.images, scale).mean
        assert [found.psnr, found.ssim] == pytest.approx([psnr, ssim], abs=1e-4)


def test_the_names_of_the_sizes() -> None:
    assert {name: size_of_name(name) for name in ("champion", "champion-25k", "champion-8k")} == {
        "champion": "57k",
        "champion-25k": "25k",
        "champion-8k": "8k",
    }
    assert [size_of_name(name) for name in ("champion-57k", "champion-", "champion-9k", "registry")] == [None] * 4
    with pytest.raises(ConfigError, match="size: size '9k' does not exist"):
        load_champion(3, size="9k")


def test_another_scale_has_no_network() -> None:
    with pytest.raises(ConfigError, match="scale: must be 2, 3 or 4, but got 8"):
        load_champion(8)


def test_a_damaged_or_missing_file_is_one_line(tmp_path: Path) -> None:
    shutil.copy(card_file(3), tmp_path)
    with pytest.raises(CheckpointError, match=r"x3\.safetensors: no such file"):
        load_champion(3, tmp_path)
    content = bytearray(weights_file(3).read_bytes())
    content[-1] ^= 1
    (tmp_path / "x3.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x3\.safetensors: damaged, its SHA-256 must begin with"):
        load_champion(3, tmp_path)
    with pytest.raises(CheckpointError, match=r"x2\.json: no such file"):
        load_champion(2, tmp_path)
    assert load_champion(3, FOLDER).config.scale == 3


def test_the_documentation_has_the_figures_of_the_cards() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for scale, size in SHIPPED:
        assert documented(scale, size) in text


def documented(scale: int, size: str) -> str:
    """The row of the table in docs/models.md."""
    card = champion_card(scale, size=size)
    cells = [f"{s.psnr:.2f} / {s.ssim:.4f} ({s.bicubic_psnr:.2f} / {s.bicubic_ssim:.4f})" for s in card.scores]
    return f"| x{scale} | {card.configuration.name} | {card.parameters} | {' | '.join(cells)} |"
