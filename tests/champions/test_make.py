"""Weights and card of a network, made from a candidate and measured on the bundled photographs."""

from __future__ import annotations

from pathlib import Path

import pytest

import srcnn.champions.make as make
from srcnn.champions import champion_card, load_champion
from srcnn.champions.card import Origin, TrainingSet
from srcnn.champions.make import Candidate, make_champion, measure_speed
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.errors import CheckpointError
from srcnn.evaluation.protocol import evaluate

from small_network import small_network

CONFIG = TrainConfig(kernels=(5, 3, 3), filters=(8, 6), scale=2, epochs=1)
TESTS = [ImageSet("corner", tuple((name, image[:60, :60]) for name, image in load("sample/test").images[:2]))]


def candidate() -> Candidate:
    origin = Origin(training=TrainingSet(name="T91", digest="d"), seeds=(123,))
    return Candidate(small_network(scale=2), CONFIG, 5e6, origin)


def test_a_network_and_its_card_can_be_loaded(tmp_path: Path) -> None:
    one = candidate()
    card = make_champion(one, TESTS, tmp_path / "new", "processor")
    assert champion_card(2, tmp_path / "new") == card
    assert load_champion(2, tmp_path / "new").config == one.network.config
    found, plain = (evaluate(network, TESTS[0].images, 2).mean for network in (one.network, None))
    (score,) = card.scores
    figures = (score.psnr, score.ssim, score.bicubic_psnr, score.bicubic_ssim)
    assert figures == pytest.approx((found.psnr, found.ssim, plain.psnr, plain.ssim), abs=1e-6)
    assert (score.name, score.images, score.digest) == ("corner", 2, TESTS[0].digest)
    assert (card.training_pixels, card.origin, card.configuration) == (5e6, one.origin, CONFIG)
    assert card.speed.machine == "processor"


def test_too_large_a_network_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "LARGEST", 1000)
    with pytest.raises(
        CheckpointError, match=r"x2\.safetensors: not written, because it may have 1000 bytes, but would"
    ):
        make_champion(candidate(), TESTS, tmp_path, "processor")
    assert list(tmp_path.iterdir()) == []


def test_the_speed_is_that_of_one_image() -> None:
    speed = measure_speed(small_network(), "processor")
    assert speed.megapixels_per_second > 0
    assert (speed.side, speed.machine) == (480, "processor")
