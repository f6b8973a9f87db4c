"""Sub-images are what plain slicing, `numpy.rot90` and `numpy.flip` cut out of the images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, DataError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.imaging.resize import imresize
from srcnn.training import patches
from srcnn.training.patches import Batch, PatchSampler, TrainingData, degrade_for, prepare

CPU = torch.device("cpu")
SHAPES = [(24, 30), (27, 24)]


def images(shapes: list[tuple[int, int]] = SHAPES) -> list[tuple[str, NDArray[np.uint8]]]:
    """Noise, in which no two places look alike."""
    rng = np.random.default_rng(0)
    return [(f"image{i}", rng.integers(0, 256, (*s, 3), dtype=np.uint8)) for i, s in enumerate(shapes)]


def configured(**fields: Any) -> TrainConfig:
    return TrainConfig(**{"kernels": (3, 1, 3), "filters": (4, 3), "patch_size": 12, "batch_size": 4, **fields})


def sampler(config: TrainConfig, shapes: list[tuple[int, int]] = SHAPES) -> PatchSampler:
    return PatchSampler(config, prepare(images(shapes), config.scale, color=config.color), CPU)


def drawn(source: PatchSampler, steps: int, seed: int = 0) -> list[Batch]:
    plan = source.draw(steps, torch.Generator().manual_seed(seed))
    return [plan.batch(step) for step in range(steps)]


def turned(patch: NDArray[Any]) -> list[NDArray[Any]]:
    """The 8 symmetries of a (height, width, channels) square."""
    return [np.rot90(mirror, k) for mirror in (patch, np.flip(patch, axis=1)) for k in range(4)]


def expected(config: TrainConfig) -> dict[bytes, tuple[int, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]]:
    """Every (input, target, base) that may be drawn, under the input's bytes, with its place and symmetry in one number."""
    unit = config.scale if config.upsampling == "pixel_shuffle" else 1
    side = config.patch_size // unit
    margin = 0 if config.padding == "zeros" else sum(k - 1 for k in config.kernels) // 2
    found = {}
    number = 0
    for name, image in images():
        ready: Degraded = degrade(image, config.scale, color=config.color, name=name)
        source = ready.bicubic if unit == 1 else ready.small
        for r in range(source.shape[0] - side + 1):
            for c in range(source.shape[1] - side + 1):
                inner = np.s_[
                    (r + margin) * unit : (r + side - margin) * unit, (c + margin) * unit : (c + side - margin) * unit
                ]
                cuts = (source[r : r + side, c : c + side], ready.target[inner], ready.bicubic[inner])
                for triple in zip(*map(turned, cuts), strict=True):
                    found[np.ascontiguousarray(triple[0]).tobytes()] = (number, triple)
                    number += 1
    return found


def pixels(sample: torch.Tensor) -> NDArray[Any]:
    """(channels, height, width) -> (height, width, channels)."""
    return np.ascontiguousarray(sample.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"color": "ycbcr"},
        {"padding": "zeros"},
        {"scale": 2, "kernels": (5, 1, 3)},
        {"upsampling": "pixel_shuffle", "patch_size": 18},
        {"upsampling": "pixel_shuffle", "patch_size": 18, "color": "rgb"},
        {"upsampling": "pixel_shuffle", "padding": "zeros"},
        {"upsampling": "pixel_shuffle", "scale": 4, "patch_size": 20, "residual": False},
    ],
    ids=str,
)
def test_sub_images_are_slices_in_all_symmetries(fields: dict[str, Any]) -> None:
    config = configured(**fields)
    allowed = expected(config)
    seen = set()
    for batch in drawn(sampler(config), 150):
        assert (batch.base is not None) == (config.upsampling == "pixel_shuffle" and config.residual)
        for i in range(config.batch_size):
            number, (_, target, base) = allowed[pixels(batch.x[i]).tobytes()]
            seen.add(number)
            # The target keeps 8 bits, and is scaled in single precision.
            np.testing.assert_allclose(pixels(batch.target[i]), target, atol=1e-6)
            if batch.base is not None:
                np.testing.assert_array_equal(pixels(batch.base[i]), base)
    assert {number % 8 for number in seen} == set(range(8))
    assert len({number // 8 for number in seen}) >= 10


def test_without_augmentation_nothing_is_turned() -> None:
    config = configured(augment=False)
    allowed = expected(config)
    for batch in drawn(sampler(config), 20):
        assert all(allowed[pixels(x).tobytes()][0] % 8 == 0 for x in batch.x)


def test_every_place_can_be_drawn() -> None:
    config = configured(patch_size=20, augment=False)
    places = len(expected(config)) // 8
    assert places == 5 * 11 + 8 * 5
    allowed = expected(config)
    seen = {allowed[pixels(x).tobytes()][0] for batch in drawn(sampler(config), 500) for x in batch.x}
    assert len(seen) == places  # 2000 draws of 95 places


def test_the_papers_input_and_target() -> None:
    """33x33 inputs and 21x21 targets, 6 pixels from every side."""
    config = configured(kernels=(9, 1, 5), patch_size=33, batch_size=1, augment=False)
    (batch,) = drawn(sampler(config, [(33, 33)]), 1)
    assert batch.x.shape == (1, 1, 33, 33)
    assert batch.target.shape == (1, 1, 21, 21)
    ready = degrade(images([(33, 33)])[0][1], 3)
    np.testing.assert_allclose(pixels(batch.target[0]), ready.target[6:27, 6:27], atol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "stride", "count"),
    [
        ([(256, 256)], 14, 16 * 16),  # 0, 14, ..., 210 of the places 0 to 223
        ([(46, 48)], 14, 1 * 2),  # 0 of 0 to 13; 0 and 14 of 0 to 15
        ([(60, 34), (34, 90)], 14, 2 + 5),
        ([(100, 100)], 33, 3 * 3),
    ],
)
def test_the_papers_grid(shapes: list[tuple[int, int]], stride: int, count: int) -> None:
    """The authors' generate_train.m: for x = 1 : stride : height - size_input + 1, the same for y."""
    config = configured(patch_size=33, stride=stride, batch_size=1, augment=False, scale=2)
    assert sampler(config, shapes).steps_per_epoch == count


def test_an_epoch_of_the_grid_shows_every_sub_image_once() -> None:
    config = configured(stride=5, augment=False, batch_size=1, patch_size=12)
    built = sampler(config)
    # 24x30: rows 0, 5, 10 and columns 0, 5, 10, 15; 27x24: rows 0, 5, 10, 15 and columns 0, 5, 10.
    assert built.steps_per_epoch == 3 * 4 + 4 * 3
    seen = [pixels(batch.x[0]).tobytes() for batch in drawn(built, built.steps_per_epoch)]
    assert len(set(seen)) == len(seen)
    degraded = [degrade(image, 3).bicubic for _, image in images()]
    cut = {
        np.ascontiguousarray(plane[r : r + 12, c : c + 12]).tobytes()
        for plane in degraded
        for r in range(0, plane.shape[0] - 11, 5)
        for c in range(0, plane.shape[1] - 11, 5)
    }
    assert set(seen) == cut
    order = [pixels(batch.x[0]).tobytes() for batch in drawn(built, built.steps_per_epoch, seed=1)]
    assert order != seen
    assert set(order) == cut


def test_the_stride_of_a_sub_pixel_network_counts_large_pixels() -> None:
    config = configured(upsampling="pixel_shuffle", stride=6, patch_size=18, batch_size=1, augment=False)
    assert sampler(config).steps_per_epoch == len(range(0, 7, 6)) * len(range(0, 13, 6)) + len(range(0, 10, 6)) * 2


@pytest.mark.parametrize(("color", "channels"), [("y", 1), ("rgb", 3)])
def test_batches_are_channels_last(color: str, channels: int) -> None:
    """Also with one channel, where torch cannot tell the layouts apart but picks its convolution by the strides."""
    (batch,) = drawn(sampler(configured(color=color)), 1)
    assert batch.x.shape == (4, channels, 12, 12)
    assert batch.x.stride() == (12 * 12 * channels, 1, 12 * channels, channels)
    assert batch.x.dtype == batch.target.dtype == torch.float32


def test_a_seed_decides_on_the_draw() -> None:
    built = sampler(configured())
    a, b, c = drawn(built, 3, seed=1), drawn(built, 3, seed=1), drawn(built, 3, seed=2)
    assert all(torch.equal(p.x, q.x) and torch.equal(p.target, q.target) for p, q in zip(a, b, strict=True))
    assert not any(torch.equal(p.x, q.x) for p, q in zip(a, c, strict=True))


def test_an_epoch_of_random_places_covers_the_pixels_once() -> None:
    built = sampler(configured(padding="zeros"))
    total = 24 * 30 + 27 * 24
    assert built.pixels_per_step == 4 * 12 * 12
    assert built.steps_per_epoch == round(total / (4 * 144))
    assert sampler(configured(epoch_pixels=64 * 100)).steps_per_epoch == 25  # 8x8 targets, 4 a step


def test_what_was_prepared() -> None:
    data = prepare(images(), 2, color="rgb")
    assert isinstance(data, TrainingData)
    assert (data.scale, data.color, data.protocol, data.names) == (2, "rgb", "srcnn", ("image0", "image1"))
    np.testing.assert_array_equal(data.sizes, [(24, 30), (26, 24)])
    assert data.pixels() == 24 * 30 + 26 * 24
    assert data.small.shape == (3, data.pixels() // 4)
    assert data.bicubic.shape == data.target.shape == (3, data.pixels())
    np.testing.assert_array_equal(data.target[:, :720], images()[0][1].transpose(2, 0, 1).reshape(3, -1))


def test_read_only_arrays_are_taken_without_a_warning() -> None:
    """Arrays in Ray's object store are read-only."""
    data = prepare(images(), 3)
    for array in (data.small, data.bicubic, data.target):
        array.flags.writeable = False
    PatchSampler(configured(), data, CPU)


def test_an_image_smaller_than_a_sub_image_is_named() -> None:
    with pytest.raises(DataError, match=r"patch_size: .* 30 pixels, but image0 has 30x24"):
        sampler(configured(patch_size=30))


def test_a_batch_larger_than_the_grid_is_refused() -> None:
    with pytest.raises(DataError, match=r"batch_size: .*number of sub-images, 24, but got 25"):
        sampler(configured(stride=5, batch_size=25))


def test_no_image_is_refused() -> None:
    with pytest.raises(DataError, match="no training image"):
        prepare([], 3)


def test_the_protocols_differ() -> None:
    image = np.random.default_rng(0).integers(0, 256, (260, 260, 3), dtype=np.uint8)
    assert degrade_for("srcnn", image, 4, "y", "").target.shape == (260, 260, 1)
    assert degrade_for("article", image, 4, "y", "").target.shape == (256, 256, 1)


def test_reduced_copies_join_the_images() -> None:
    plain, data = prepare(images(), 2), prepare(images(), 2, copies=2)
    first = "image0", "image1", "image0 reduced by 0.8", "image1 reduced by 0.8"
    assert data.names[:4] == first
    np.testing.assert_array_equal(data.copies, [0, 0, 1, 1, 2, 2])
    # ceil(24 * 0.8) = 20, ceil(30 * 0.8) = 24; the second image is 27x24, of which modcrop leaves 22x20 and 16x14.
    np.testing.assert_array_equal(data.sizes[2:], [(20, 24), (22, 20), (14, 18), (16, 14)])
    assert data.pixels() == plain.pixels()
    assert data.pixels(1) == plain.pixels() + 20 * 24 + 22 * 20
    reduced = np.clip(np.rint(imresize(images()[0][1].astype(float), 0.8)), 0, 255).astype(np.uint8)
    target = data.target[0, plain.pixels() : plain.pixels() + 20 * 24]
    np.testing.assert_array_equal(target, np.rint(degrade(reduced, 2).target.ravel() * 255))


def test_a_training_without_copies_draws_the_same_from_images_with_copies() -> None:
    built = [PatchSampler(configured(patch_size=12), prepare(images(), 3, copies=count), CPU) for count in (0, 2)]
    assert built[0].steps_per_epoch == built[1].steps_per_epoch
    for one, other in zip(*(drawn(sampler, 5, seed=1) for sampler in built), strict=True):
        assert torch.equal(one.x, other.x) and torch.equal(one.target, other.target)


def test_copies_are_drawn_as_often_as_they_have_places() -> None:
    sizes, values = [(40, 40), (30, 30)], (50, 200)
    pairs = [
        (str(i), np.full((*size, 3), value, np.uint8))
        for i, (size, value) in enumerate(zip(sizes, values, strict=True))
    ]
    config = configured(patch_size=20, padding="zeros", reduced_copies=2, batch_size=100)
    plan = PatchSampler(config, prepare(pairs, 2, copies=4), CPU).draw(50, torch.Generator().manual_seed(0))
    bright = np.mean([float((plan.batch(i).target.mean(dim=(1, 2, 3)) > 0.5).float().mean()) for i in range(50)])
    # Places down and right: 21 and 11 in the images, 13 and 5 in the copies by 0.8; of those by 0.6 the larger has 5, and the
    # other is smaller than a sub-image and left out. So (11^2 + 5^2) of (21^2 + 13^2 + 5^2 + 11^2 + 5^2) places are bright.
    assert bright == pytest.approx((121 + 25) / (441 + 169 + 25 + 121 + 25), abs=0.02)


def test_memory_is_checked_with_the_copies_before_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 x 75 pixels the copy by 0.8 has 80 x 60, that by 0.6 60 x 45; of 5 x 5 only that by 0.8, 4 x 4."""
    pairs = [("large", np.zeros((100, 75), np.uint8)), ("small", np.zeros((5, 5), np.uint8))]
    data = prepare(pairs, 2, copies=2)
    assert [tuple(size) for size in data.sizes] == [(100, 74), (4, 4), (80, 60), (4, 4), (60, 44)]
    assert list(data.copies) == [0, 0, 1, 1, 2]
    pixels = 100 * 75 + 5 * 5 + 80 * 60 + 4 * 4 + 60 * 45
    made: list[object] = []
    monkeypatch.setattr(patches, "imresize", lambda *given: made.append(given))
    monkeypatch.setattr("srcnn.training.memory.machine_memory", lambda: 25 * pixels - 1)
    with pytest.raises(ConfigError, match=r"^train: to prepare 5 images of 0 megapixels together would take"):
        prepare(pairs, 2, copies=2)
    assert made == []


def test_copies_that_were_not_prepared_are_refused() -> None:
    with pytest.raises(ConfigError, match="reduced_copies: the images were prepared with 1, but got 2"):
        PatchSampler(configured(reduced_copies=2), prepare(images(), 3, copies=1), CPU)


def test_images_that_are_too_small_for_larger_sub_images_are_left_out() -> None:
    sizes = [(20, 40), (40, 44), (24, 30), (60, 16)]
    images = [(str(i), np.full((*size, 3), 60 * i, dtype=np.uint8)) for i, size in enumerate(sizes)]
    data = prepare(images, 3)
    config = configured(patch_size=12, late_patch_size=24, batch_size=8)
    early, late_config = PatchSampler(config, data, torch.device("cpu")), config.late
    assert late_config is not None
    late = PatchSampler(late_config, data, torch.device("cpu"), early)
    draw = torch.Generator().manual_seed(0)

    def seen(sampler: PatchSampler) -> set[float]:
        plan = sampler.draw(400, draw)
        return {round(float(value), 3) for i in range(400) for value in plan.batch(i).target.mean(dim=(1, 2, 3))}

    assert len(seen(early)) == 4
    assert seen(late) < seen(early)
    assert len(seen(late)) == 2
    assert late.pixels_per_step == late_config.batch_size * late_config.output_size**2
    with pytest.raises(
        DataError, match="late_patch_size: must not exceed the shorter side of every image, 39 at most, but got 42"
    ):
        PatchSampler(configured(patch_size=42), data, torch.device("cpu"), early)
