"""The protocol, step by step, and the papers' printed figures of bicubic and of the authors' released weights.

The figures need the real sets in ``$SRCNN_DATA`` (`srcnn.data.fetch` puts them there) and, for the networks, the released
weights in ``srcnn-official`` below ``weights`` in or beside that folder. Without them those tests are skipped.
"""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.data.datasets import load
from srcnn.data.image_set import NamedImage
from srcnn.errors import DataError
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import Score, evaluate, mean_score, reconstruct, score
from srcnn.imaging.metrics import psnr, quantize, shave
from srcnn.model.network import SRCNN
from srcnn.model.official_weights import load_official

from pictures import photo

REAL = os.environ.get("SRCNN_DATA")
FOLDERS = [Path(REAL, "weights/srcnn-official"), Path(REAL, "../weights/srcnn-official")] if REAL else []
WEIGHTS = next((folder for folder in FOLDERS if folder.is_dir()), None)


@cache
def real(name: str) -> tuple[NamedImage, ...]:
    if not REAL or not Path(REAL, name).is_dir():
        pytest.skip(f"$SRCNN_DATA holds no {name}")
    return load(name, Path(REAL)).images


def released(kernels: str, scale: int) -> SRCNN:
    if WEIGHTS is None:
        pytest.skip("no released weights: weights/srcnn-official is neither in $SRCNN_DATA nor beside it")
    return load_official(WEIGHTS / kernels / f"x{scale}.mat", scale)


@pytest.mark.parametrize(
    ("name", "scale", "decibels", "similarity"),
    [  # TPAMI 2016, tables 2 and 3
        ("Set5", 2, 33.66, 0.9299),
        ("Set5", 3, 30.39, 0.8682),
        ("Set5", 4, 28.42, 0.8104),
        ("Set14", 2, 30.23, 0.8687),
        ("Set14", 3, 27.54, 0.7736),
        ("Set14", 4, 26.00, 0.7019),
    ],
)
def test_bicubic_gives_the_printed_figures(name: str, scale: int, decibels: float, similarity: float) -> None:
    mean = evaluate(None, real(name), scale).mean
    assert round(mean.psnr, 2) == decibels
    assert round(mean.ssim, 4) == similarity


@pytest.mark.parametrize(
    ("kernels", "name", "scale", "decibels", "similarity"),
    [  # TPAMI 2016, tables 2 and 3. 9-5-5 at x4 is printed as 30.49, and Set14 at x3 as 29.30, 0.01 dB above the weights.
        ("9-5-5(ImageNet)", "Set5", 2, 36.66, 0.9542),
        ("9-5-5(ImageNet)", "Set5", 3, 32.75, 0.9090),
        ("9-5-5(ImageNet)", "Set5", 4, 30.49, 0.8628),
        ("9-5-5(ImageNet)", "Set14", 3, 29.30, 0.8215),
    ],
)
def test_the_released_network_gives_the_printed_figures(
    kernels: str, name: str, scale: int, decibels: float, similarity: float
) -> None:
    mean = evaluate(released(kernels, scale), real(name), scale).mean
    assert mean.psnr == pytest.approx(decibels, abs=0.01)
    assert round(mean.ssim, 4) == similarity


@pytest.mark.parametrize(
    ("kernels", "decibels"),
    [  # TPAMI 2016, section 4.3.2 and table 1. 9-3-5 is printed as 32.66; the weights give 32.65.
        ("9-1-5(ImageNet)", 32.52),
        ("9-3-5(ImageNet)", 32.66),
    ],
)
def test_the_released_networks_of_other_kernels(kernels: str, decibels: float) -> None:
    assert evaluate(released(kernels, 3), real("Set5"), 3, with_ssim=False).mean.psnr == pytest.approx(
        decibels, abs=0.01
    )


@pytest.mark.parametrize(
    ("scale", "figures", "average"),
    [  # ECCV 2014, table 1: baby, bird, butterfly, head, woman
        (2, (38.30, 40.64, 32.20, 35.64, 34.94), 36.34),
        (3, (35.01, 34.91, 27.58, 33.55, 30.92), 32.39),
        (4, (32.98, 31.98, 25.07, 32.19, 28.21), 30.09),
    ],
)
def test_the_released_network_of_t91_image_by_image(scale: int, figures: tuple[float, ...], average: float) -> None:
    found = evaluate(released("9-1-5(91 images)", scale), real("Set5"), scale, with_ssim=False)
    assert [s.name.split("_")[0] for s in found.images] == ["baby", "bird", "butterfly", "head", "woman"]
    assert [s.psnr for s in found.images] == pytest.approx(figures, abs=0.01)
    assert found.mean.psnr == pytest.approx(average, abs=0.01)


def test_the_colour_table() -> None:
    """TPAMI 2016, table 5, bicubic at x3: Y, Cb, Cr, and the three planes together."""
    together, single = [], []
    for name, image in real("Set5"):
        ready = degrade(image, 3, color="ycbcr", name=name)
        together.append(score(None, ready, with_ssim=False).psnr)
        result, truth = (quantize(shave(p, 3)) for p in (ready.bicubic, ready.target))
        single.append([psnr(truth[:, :, c], result[:, :, c]) for c in range(3)])
    assert np.mean(together) == pytest.approx(34.57, abs=0.01)
    assert np.mean(single, axis=0) == pytest.approx([30.39, 45.44, 45.42], abs=0.01)


def test_a_constant_image_is_reconstructed_exactly() -> None:
    found = evaluate(None, [("flat", np.full((30, 30, 3), 77, dtype=np.uint8))], 3)
    assert found.mean.psnr == math.inf
    assert found.mean.ssim == pytest.approx(1.0)


def test_the_border_does_not_count() -> None:
    ready = degrade(photo(36, 36), 3)
    before = score(None, ready)
    for side in (np.s_[:3], np.s_[-3:], np.s_[:, :3], np.s_[:, -3:]):
        ready.bicubic[side] = 0
    assert score(None, ready) == before
    ready.bicubic[3, 3] = 0
    assert score(None, ready).psnr < before.psnr


def test_the_figure_of_a_set_is_the_mean_of_its_figures() -> None:
    images = [("a", photo(30, 30)), ("b", photo(42, 36)), ("c", photo(33, 48, grey=True))]
    found = evaluate(None, images, 3)
    assert [s.name for s in found.images] == ["a", "b", "c"]
    assert found.mean.psnr == pytest.approx(sum(s.psnr for s in found.images) / 3)
    assert found.mean.ssim == pytest.approx(sum(s.ssim for s in found.images) / 3)
    assert mean_score([Score("", 30, 0.25), Score("", 40, 0.75)]) == Score("mean", 35, 0.5)


def test_ssim_may_be_left_out() -> None:
    found = evaluate(None, [("a", photo())], 3, with_ssim=False)
    assert math.isnan(found.mean.ssim)
    assert found.mean.psnr == evaluate(None, [("a", photo())], 3).mean.psnr


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
@pytest.mark.parametrize("color", ["y", "rgb"])
def test_a_silent_residual_network_measures_as_bicubic(upsampling: str, color: str) -> None:
    config = ModelConfig(kernels=(3, 1), filters=(2,), upsampling=upsampling, color=color)
    network = SRCNN(config)
    with torch.no_grad():
        for weight in network.convolutions[-1].parameters():
            weight.zero_()
    network.train()
    ready = degrade(photo(), 3, color=color)
    np.testing.assert_array_equal(reconstruct(network, ready), ready.bicubic)
    assert score(network, ready) == score(None, ready)
    assert network.training  # left as it was found


def test_the_network_decides_on_the_planes() -> None:
    network = SRCNN(ModelConfig(kernels=(3, 1), filters=(2,), color="ycbcr"))
    with torch.no_grad():
        for weight in network.convolutions[-1].parameters():
            weight.zero_()
    expected = score(None, degrade(photo(), 3, color="ycbcr"))
    assert evaluate(network, [("", photo())], 3).images[0].psnr == expected.psnr


def test_no_image_is_refused() -> None:
    with pytest.raises(DataError, match="no image"):
        evaluate(None, [], 3)


def test_an_image_too_small_for_ssim_is_refused() -> None:
    with pytest.raises(DataError, match="SSIM needs at least 11"):
        evaluate(None, [("tiny", photo(15, 40))], 3)


def test_an_image_that_this_machine_cannot_measure_is_refused_with_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 bytes a plane and pixel: 40 x 50 in colour take 240 kB."""
    image = np.zeros((40, 50), np.uint8)
    monkeypatch.setattr("srcnn.evaluation.protocol.machine_memory", lambda: 240_000)
    evaluate(None, [("a", image)], 2, color="rgb")
    monkeypatch.setattr("srcnn.evaluation.protocol.machine_memory", lambda: 239_999)
    with pytest.raises(
        DataError, match=r"^a: to measure 0\.0 megapixels would take 1 MiB, this machine has 1 MiB; give smaller"
    ):
        evaluate(None, [("a", image)], 2, color="rgb")
    evaluate(None, [("a", image)], 2)
