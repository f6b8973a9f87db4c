"""Networks are measured on every set, in Ray's workers as here; the zero network is bicubic interpolation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
import torch
from skimage.metrics import peak_signal_noise_ratio

from srcnn.config.architecture import ModelConfig
from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.errors import CheckpointError
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import evaluate
from srcnn.imaging.metrics import quantize, shave
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network, save_network
from srcnn.tuning.worker.measure import measure


@pytest.fixture(scope="module", autouse=True)
def one_ray() -> Iterator[None]:
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def sets() -> list[ImageSet]:
    """Two sets of small photographs: two images, one image."""
    images = [(name, np.ascontiguousarray(image[100:148, 100:148])) for name, image in load("sample/test").images[:3]]
    return [ImageSet("two", tuple(images[:2])), ImageSet("one", tuple(images[2:]))]


def network(folder: Path, name: str, scale: int, *, zero: bool = False) -> Path:
    torch.manual_seed(0)
    model = SRCNN(ModelConfig(kernels=(5, 1, 3), filters=(4, 4), scale=scale, residual=True))
    if zero:
        for parameter in model.parameters():
            parameter.data.zero_()
    save_network(folder / name, model.state_dict(), model.config)
    return folder / name


def test_every_network_is_measured_on_every_set_in_order(tmp_path: Path, sets: list[ImageSet]) -> None:
    zero, other = network(tmp_path, "zero", 3, zero=True), network(tmp_path, "other", 2)
    found = measure({"zero": (zero, 3), "other": (other, 2)}, sets)
    assert list(found) == ["zero", "other"]
    for scores in found.values():
        assert {name: [score.name for score in of_set] for name, of_set in scores.items()} == {
            images.name: [name for name, _ in images.images] for images in sets
        }
    for images in sets:
        # A network that adds nothing to the bicubic image has the scores of bicubic interpolation ...
        assert found["zero"][images.name] == evaluate(None, images.images, 3).images
        # ... and another one those that it has in this process.
        here = evaluate(load_network(other), images.images, 2).images
        assert [s.psnr for s in found["other"][images.name]] == pytest.approx([s.psnr for s in here], abs=1e-4)
        assert [s.ssim for s in found["other"][images.name]] == pytest.approx([s.ssim for s in here], abs=1e-6)


def test_the_psnr_is_that_of_scikit_image(tmp_path: Path, sets: list[ImageSet]) -> None:
    found = measure({"zero": (network(tmp_path, "zero", 2, zero=True), 2)}, sets[:1], with_ssim=False)
    for (name, image), score in zip(sets[0].images, found["zero"]["two"], strict=True):
        low = degrade(image, 2, name=name)
        truth, bicubic = (quantize(shave(one, 2)) for one in (low.target, low.bicubic))
        assert score.psnr == pytest.approx(peak_signal_noise_ratio(truth, bicubic, data_range=255), abs=1e-4)


def test_without_ssim_there_is_none(tmp_path: Path, sets: list[ImageSet]) -> None:
    (scores,) = measure({"a": (network(tmp_path, "a", 2), 2)}, sets[1:], with_ssim=False)["a"]["one"]
    assert math.isfinite(scores.psnr)
    assert math.isnan(scores.ssim)


def test_without_networks_nothing_is_measured(sets: list[ImageSet]) -> None:
    assert measure({}, sets) == {}


def test_a_network_without_sets_has_no_scores(tmp_path: Path) -> None:
    assert measure({"a": (network(tmp_path, "a", 2), 2)}, []) == {"a": {}}


def test_a_lost_file_is_an_error_that_names_it(tmp_path: Path, sets: list[ImageSet]) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.safetensors"):
        measure({"a": (tmp_path / "gone.safetensors", 2)}, sets)
