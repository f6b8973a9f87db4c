"""What a table measures of a network; the figures themselves are tested where they are made."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.evaluation.article import average_psnr
from srcnn.evaluation.color_table import score_planes
from srcnn.evaluation.protocol import evaluate
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import save_network
from srcnn.training.patches import degrade_for
from srcnn.tuning.paper.table_metrics import Subject, measure_subject


@pytest.fixture(scope="module")
def sets() -> list[ImageSet]:
    images = [(name, image[100:196, 100:220]) for name, image in load("sample/test").images[:3]]
    return [ImageSet("first", tuple(images[:2])), ImageSet("second", tuple(images[2:]))]


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    config = TrainConfig(kernels="5-1-3", filters="8-4", scale=2)
    network = SRCNN(config.architecture)
    network.initialize("he", 0.0, torch.Generator().manual_seed(1))
    save_network(tmp_path / "network.safetensors", network.state_dict(), config)
    return Subject(2, tmp_path / "network.safetensors")


def test_psnr_of_sets_and_images(subject: Subject, sets: list[ImageSet]) -> None:
    found = measure_subject(subject, sets, "psnr")
    expected = evaluate(subject.load(), sets[0].images, 2)
    assert found["first/x2/psnr"] == expected.mean.psnr
    assert found["first/x2/ssim"] == expected.mean.ssim
    for score in expected.images:
        assert found[f"first/x2/psnr/{score.name}"] == score.psnr
    assert found["first/x2/seconds"] > 0
    assert "second/x2/psnr" in found
    assert "second/x2/seconds" not in found


def test_bicubic_has_no_time(sets: list[ImageSet]) -> None:
    found = measure_subject(Subject(3), sets[:1], "psnr")
    assert found["first/x3/psnr"] == evaluate(None, sets[0].images, 3).mean.psnr
    assert "first/x3/seconds" not in found


def test_planes(subject: Subject, sets: list[ImageSet]) -> None:
    found = measure_subject(subject, sets[:1], "planes")
    scores = score_planes(subject.load(), sets[0].images, 2)
    assert found["first/x2/Y"] == pytest.approx(sum(score.y for score in scores) / 2)
    assert found[f"first/x2/color/{scores[1].name}"] == scores[1].color
    assert {name.split("/")[2] for name in found} == {"Y", "Cb", "Cr", "color", "seconds"}


def test_the_articles_own_figure(subject: Subject) -> None:
    images = ImageSet("whole", load("sample/test").images[:2])
    found = measure_subject(subject, [images], "article")
    pooled = [degrade_for("article", image, 2, "y", name) for name, image in images.images]
    assert found["whole/x2/article"] == average_psnr(subject.load(), pooled, 8)
    assert found["whole/x2/psnr"] == evaluate(subject.load(), images.images, 2).mean.psnr
