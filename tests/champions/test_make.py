"""Weights and card of a network, made from a candidate and measured on the bundled photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import srcnn.champions.make as make
from srcnn.champions import champion_card, load_champion
from srcnn.champions.card import Origin, TrainingSet
from srcnn.champions.make import Candidate, make_champion, measure_speed
from srcnn.champions.shipped import champion_names
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.errors import CheckpointError, ConfigError
from srcnn.evaluation.protocol import evaluate
from srcnn.model.network import SRCNN

from small_network import small_network

CONFIG = TrainConfig(kernels=(5, 3, 3), filters=(8, 6), scale=2, epochs=1)
TESTS = [ImageSet("corner", tuple((name, image[:60, :60]) for name, image in load("sample/test").images[:2]))]


def candidate() -> Candidate:
    origin = Origin(training=TrainingSet(name="T91", digest="d"), seeds=(123,))
    return Candidate(small_network(scale=2), CONFIG, 5e6, origin)


def test_a_network_and_its_card_can_be_loaded(tmp_path: Path) -> None:
    one = candidate()
    card = make_champion(one, TESTS, tmp_path / "new", "processor", sound=False)
    assert champion_card(2, tmp_path / "new") == card
    assert load_champion(2, tmp_path / "new").config == one.network.config
    found, plain = (evaluate(network, TESTS[0].images, 2).mean for network in (one.network, None))
    (score,) = card.scores
    figures = (score.psnr, score.ssim, score.bicubic_psnr, score.bicubic_ssim)
    assert figures == pytest.approx((found.psnr, found.ssim, plain.psnr, plain.ssim), abs=1e-6)
    assert (score.name, score.images, score.digest) == ("corner", 2, TESTS[0].digest)
    assert (card.training_pixels, card.origin, card.configuration) == (5e6, one.origin, CONFIG)
    assert card.speed.machine == "processor"
    assert min(card.patterns.values()) < -1


def test_a_smaller_network_lies_beside_the_large_one(tmp_path: Path) -> None:
    one = candidate()
    card = make_champion(one, TESTS, tmp_path, "processor", "8k", sound=False)
    assert card.file == "x2-8k.safetensors"
    assert champion_card(2, tmp_path, size="8k") == card
    assert load_champion(2, tmp_path, size="8k").config == one.network.config
    assert champion_names(tmp_path) == ["champion-8k"]
    make_champion(one, TESTS, tmp_path, "processor", sound=False)
    assert champion_names(tmp_path) == ["champion", "champion-8k"]


def test_a_network_with_too_many_weights_for_its_size_is_refused(tmp_path: Path) -> None:
    config = TrainConfig(kernels=(9, 5, 5), filters=(64, 32), scale=2)
    large = replace(candidate(), config=config)  # its network does not matter: nothing is measured
    with pytest.raises(ConfigError, match=r"size: 25k has at most 25000 weights and biases, but 9-5-5 .* has 57281"):
        make_champion(large, TESTS, tmp_path, "processor", "25k")
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_ones_own_may_have_more_weights_than_those_that_ship(tmp_path: Path) -> None:
    config = TrainConfig(kernels=(9, 5, 5), filters=(64, 32), scale=2)
    large = replace(candidate(), network=SRCNN(config.architecture).eval(), config=config)
    assert make_champion(large, [], tmp_path, "processor", sound=False).parameters == 57_281


def test_a_network_that_fails_on_a_drawn_pattern_is_refused_before_the_test_sets_are_read(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"x2 5-3-3 .*: may be at most 1 dB behind bicubic on a drawn pattern, but is \d+"
    ):
        make_champion(candidate(), [], tmp_path, "processor")
    assert list(tmp_path.iterdir()) == []


def test_too_large_a_network_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "LARGEST", 1000)
    with pytest.raises(
        CheckpointError, match=r"x2\.safetensors: not written, because it may have 1000 bytes, but would"
    ):
        make_champion(candidate(), TESTS, tmp_path, "processor", sound=False)
    assert list(tmp_path.iterdir()) == []


def test_the_speed_is_that_of_one_image() -> None:
    speed = measure_speed(small_network(), "processor")
    assert speed.megapixels_per_second > 0
    assert (speed.side, speed.machine) == (480, "processor")
