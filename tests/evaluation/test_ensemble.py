"""The ensemble over the eight symmetries, compared with eight direct evaluations, and with what must not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.errors import ConfigError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.evaluation.ensemble import ENSEMBLE, SYMMETRIES, mean_over_symmetries, turn, turn_back
from srcnn.evaluation.protocol import evaluate, reconstruct, score
from srcnn.imaging.metrics import psnr, quantize, shave
from srcnn.model.network import SRCNN

from pictures import photo

#: The eight symmetries without any of the module's functions: transposition, then reversal of rows and of columns.
DIRECT = [
    (transposed, rows, columns) for transposed in (False, True) for rows in (False, True) for columns in (False, True)
]


def directly(image: np.ndarray, transposed: bool, rows: bool, columns: bool) -> np.ndarray:
    image = image.transpose(1, 0, 2) if transposed else image
    return image[:: -1 if rows else 1, :: -1 if columns else 1]


def directly_back(image: np.ndarray, transposed: bool, rows: bool, columns: bool) -> np.ndarray:
    image = image[:: -1 if rows else 1, :: -1 if columns else 1]
    return image.transpose(1, 0, 2) if transposed else image


def network_of(upsampling: str, color: str = "y") -> SRCNN:
    network = SRCNN(ModelConfig(kernels=(3, 3), filters=(4,), scale=3, upsampling=upsampling, color=color))
    with torch.no_grad():  # far from symmetric
        for layer in network.convolutions:
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(3)) * 0.3)
    return network


def test_there_are_eight_different_symmetries_and_each_is_undone() -> None:
    image = np.arange(2 * 3 * 2, dtype=np.float32).reshape(2, 3, 2)
    turned = {turn(image, symmetry).tobytes() + bytes(turn(image, symmetry).shape) for symmetry in SYMMETRIES}
    assert turned == {directly(image, *one).tobytes() + bytes(directly(image, *one).shape) for one in DIRECT}
    assert len(turned) == 8
    for symmetry in SYMMETRIES:
        np.testing.assert_array_equal(turn_back(turn(image, symmetry), symmetry), image)


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
@pytest.mark.parametrize("color", ["y", "rgb"])
def test_it_is_the_mean_of_eight_outputs_before_rounding(upsampling: str, color: str) -> None:
    network, ready = network_of(upsampling, color), degrade(photo(42, 36), 3, color=color)
    outputs = []
    for one in DIRECT:
        version = Degraded(
            "",
            np.ascontiguousarray(directly(ready.small, *one)),
            np.ascontiguousarray(directly(ready.bicubic, *one)),
            directly(ready.target, *one),
            3,
        )
        outputs.append(directly_back(reconstruct(network, version), *one).astype(np.float64))
    expected = np.mean(outputs, axis=0)
    found = reconstruct(network, ready, ensemble=True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert np.abs(found - reconstruct(network, ready)).max() > 0.01
    truth = quantize(shave(ready.target, 3))
    assert score(network, ready, ensemble=True).psnr == psnr(truth, quantize(shave(expected.astype(np.float32), 3)))


def test_the_version_of_a_degraded_image_is_the_degraded_version() -> None:
    """So the network may be given the turned inputs: degrading is symmetric to rounding."""
    image = photo(42, 36)
    ready, turned = degrade(image, 3), degrade(np.ascontiguousarray(np.rot90(image)), 3)
    np.testing.assert_allclose(turned.small, turn(ready.small, 1), atol=1e-6)
    np.testing.assert_allclose(turned.bicubic, turn(ready.bicubic, 1), atol=1e-6)


def test_a_symmetric_function_is_its_own_ensemble() -> None:
    small, bicubic = (np.random.default_rng(0).random((side, side + 2, 1), np.float32) for side in (3, 9))
    found = mean_over_symmetries(lambda _, base: base, small, bicubic)
    np.testing.assert_allclose(found, bicubic, rtol=1e-6)


def test_figures_of_the_ensemble_are_named() -> None:
    network, images = network_of("pixel_shuffle"), [("a", photo(42, 36)), ("b", photo(36, 45))]
    plain, together = evaluate(network, images, 3), evaluate(network, images, 3, ensemble=True)
    assert plain.protocol == "srcnn"
    assert together.protocol == f"srcnn, {ENSEMBLE}" == "srcnn, ensemble of 8"
    assert together.mean.psnr > plain.mean.psnr  # of a network that is no better in one direction than in another
    assert together.mean.psnr == pytest.approx(
        np.mean([score(network, degrade(i, 3), ensemble=True).psnr for _, i in images])
    )


def test_bicubic_has_no_ensemble() -> None:
    with pytest.raises(ConfigError, match="ensemble: must be used with a network") as found:
        evaluate(None, [("a", photo())], 3, ensemble=True)
    assert "\n" not in str(found.value)
