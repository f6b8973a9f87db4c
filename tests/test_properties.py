"""Properties that hold for every input, tried by hypothesis: pixels, tiles, configurations, spaces, intervals."""

from __future__ import annotations

import math
import os
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from srcnn.config.quantities import format_sizes, parse_pixels
from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, DataError
from srcnn.imaging.color import rgb_to_ycbcr, ycbcr_to_rgb
from srcnn.imaging.image_files import modcrop
from srcnn.imaging.metrics import psnr, shave
from srcnn.imaging.resize import imresize
from srcnn.tuning.space.parameter import contains
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.intervals import difference, over_seeds, over_seeds_and_images
from srcnn.upscaling.enlarge import upscale
from srcnn.upscaling.tiles import tiles

from small_network import small_network

_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
Pixels = NDArray[np.uint8]


def bounded(examples: int) -> settings:
    """As many examples as the suite has time for; a hundred times as many with HYPOTHESIS_PROFILE=long."""
    return settings(
        max_examples=examples * (100 if _LONG else 1),
        deadline=None,
        derandomize=not _LONG,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


sides = st.integers(1, 14)
pixels = st.tuples(sides, sides).flatmap(lambda shape: arrays(np.uint8, shape))
colors = st.tuples(sides, sides, st.just(3)).flatmap(lambda shape: arrays(np.uint8, shape))
scales = st.fractions(Fraction(1, 5), 5, max_denominator=7)


def summed(line: NDArray[np.float64], scale: Fraction) -> NDArray[np.float64]:
    """Resize a line by the definition: a sum over all mirrored pixels that the kernel of Keys reaches, in exact fractions."""
    stretch, length, out = min(scale, Fraction(1)), len(line), []
    for i in range(math.ceil(length * scale)):
        centre = (i + Fraction(1, 2)) / scale - Fraction(1, 2)
        reach, total, weights = 2 / stretch, Fraction(0), Fraction(0)
        for k in range(math.floor(centre - reach), math.ceil(centre + reach) + 1):
            x = abs((centre - k) * stretch)
            weight = Fraction(0)
            if x <= 1:
                weight = Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1
            elif x <= 2:
                weight = -Fraction(1, 2) * x**3 + Fraction(5, 2) * x**2 - 4 * x + 2
            at = k % (2 * length)
            total += weight * Fraction(float(line[at if at < length else 2 * length - 1 - at]))
            weights += weight
        out.append(float(total / weights))
    return np.array(out)


@bounded(25)
@given(st.lists(st.floats(-300, 300, width=32), min_size=1, max_size=12), scales)
def test_resizing_is_the_sum_of_its_definition(values: list[float], scale: Fraction) -> None:
    line = np.array(values, np.float64)
    wanted = summed(line, scale)
    assert np.allclose(
        imresize(line[None], scale)[0], np.broadcast_to(wanted, (math.ceil(scale), len(wanted))), atol=1e-9
    )
    assert np.allclose(imresize(line[:, None], scale)[:, 0], wanted, atol=1e-9)


@bounded(25)
@given(pixels, scales, st.floats(-100, 100), st.floats(0.1, 10))
def test_resizing_is_linear_and_symmetric(image: NDArray[Any], scale: Fraction, shift: float, gain: float) -> None:
    image = image.astype(np.float64)
    found = imresize(image, scale)
    assert np.allclose(imresize(image * gain + shift, scale), found * gain + shift, atol=1e-8)
    height, width = image.shape
    if (height * scale).denominator == (width * scale).denominator == 1:  # otherwise the grid is not symmetric
        assert np.allclose(imresize(image[::-1, ::-1], scale), found[::-1, ::-1], atol=1e-8)


@bounded(40)
@given(colors)
def test_colours_come_back(image: Pixels) -> None:
    """Three rounded planes lose at most two of 255 steps a channel; grey stays grey."""
    there = rgb_to_ycbcr(image)
    assert there[..., 0].min() >= 16 and there[..., 0].max() <= 235
    assert there[..., 1:].min() >= 16 and there[..., 1:].max() <= 240
    assert np.abs(ycbcr_to_rgb(there).astype(int) - image).max() <= 2
    grey = np.repeat(image[..., :1], 3, axis=2)
    assert (rgb_to_ycbcr(grey)[..., 1:] == 128).all()


@bounded(40)
@given(pixels | colors, st.integers(-3, 9))
def test_cropping(image: Pixels, size: int) -> None:
    if size < 1:
        with pytest.raises(ConfigError, match="scale"):
            modcrop(image, size)
    else:
        cropped = modcrop(image, size)
        assert all(
            side % size == 0 and old - side < size for side, old in zip(cropped.shape, image.shape[:2], strict=False)
        )
        assert np.array_equal(cropped, image[: cropped.shape[0], : cropped.shape[1]])
        assert np.array_equal(modcrop(cropped, size), cropped)
    if size < 0 or min(image.shape[:2]) <= 2 * size:
        with pytest.raises(ConfigError if size < 0 else DataError):
            shave(image, size)
    else:
        left = shave(image, size)
        assert left.shape[:2] == (image.shape[0] - 2 * size, image.shape[1] - 2 * size)
        assert left.size and (size == 0 or left[0, 0].tolist() == image[size, size].tolist())


@bounded(40)
@given(pixels, st.integers(0, 255))
def test_psnr(image: Pixels, value: int) -> None:
    other = np.full_like(image, value)
    error = ((image.astype(np.float64) - value) ** 2).mean()
    found = psnr(image, other)
    assert found == (math.inf if error == 0 else pytest.approx(10 * math.log10(255**2 / error)))


@bounded(40)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 70))
def test_tiles_cover_every_pixel_once(height: int, width: int, side: int) -> None:
    count = np.zeros((height, width), int)
    for tile in tiles(height, width, side):
        count[tile.top : tile.bottom, tile.left : tile.right] += 1
        assert 0 < tile.bottom - tile.top <= side and 0 < tile.right - tile.left <= 2 * side
    assert (count == 1).all()


@bounded(4)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["bicubic", "pixel_shuffle"]),
    st.sampled_from([2, 3]),
    st.integers(1, 30),
    st.integers(0, 9),
)
def test_an_image_in_tiles_is_the_whole_image(
    height: int, width: int, upsampling: str, scale: int, tile: int, seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    network = small_network(upsampling=upsampling, scale=scale, kernels=(3, 3), filters=(4,))
    given: dict[str, Any] = {"network": network, "precision": "fp32", "threads": 1}
    whole = upscale(image, scale, **given, tile=1000)
    assert whole.shape == (height * scale, width * scale, 3)
    assert np.array_equal(whole, upscale(image, scale, **given, tile=tile))


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Fields of a configuration, most of them valid."""
    depth = draw(st.integers(2, 5))
    given: dict[str, Any] = {
        "kernels": tuple(draw(st.sampled_from([1, 3, 5, 9])) for _ in range(depth)),
        "filters": tuple(draw(st.integers(1, 64)) for _ in range(depth - 1)),
        "scale": draw(st.sampled_from([2, 3, 4])),
        "learning_rate": draw(st.floats(1e-6, 1.0)),
        "optimizer": draw(st.sampled_from(["muon", "adam", "sgd"])),
        "schedule": draw(st.sampled_from(["constant", "cosine"])),
        "batch_size": draw(st.integers(1, 64)),
        "patch_size": draw(st.integers(12, 200)),
        "pixels": draw(st.floats(1e3, 1e9)),
        "upsampling": draw(st.sampled_from(["bicubic", "pixel_shuffle"])),
        "padding": draw(st.sampled_from(["zeros", "replicate"])),
        "seed": draw(st.integers(0, 2**31 - 1)),
    }
    return {name: value for name, value in given.items() if draw(st.integers(0, 3)) or name in ("kernels", "filters")}


@bounded(40)
@given(configurations())
def test_configurations_come_back(fields: dict[str, Any]) -> None:
    """As JSON, as a dictionary, as text of the command line; a refusal is one line that names a field."""
    try:
        config = TrainConfig(**fields)
    except ConfigError as error:
        said = str(error)
        named = said.split(":")[0] in TrainConfig.model_fields
        assert named and "\n" not in said
        return
    assert TrainConfig(**config.model_dump()) == config
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config
    assert config.replace() == config
    typed = {"kernels": format_sizes(config.kernels), "filters": format_sizes(config.filters)}
    assert TrainConfig(**{**config.model_dump(), **typed}) == config


@bounded(60)
@given(st.text(max_size=12) | st.from_regex(r"[0-9.]{1,8}[kKMG]?", fullmatch=True))
def test_pixels_are_read_or_refused_in_one_line(text: str) -> None:
    try:
        found = parse_pixels(text, "--pixels")
    except ConfigError as error:
        said = str(error).replace(text, "")
        assert "\n" not in said
    else:
        assert found > 0


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, Any]:
    """A space file with some parameters of every type."""
    low, high = sorted(draw(st.tuples(st.integers(1, 40), st.integers(1, 40))))
    rates = sorted(draw(st.tuples(st.floats(1e-5, 1e-2), st.floats(1e-5, 1e-2))))
    parameters: dict[str, Any] = {
        "n1": {"type": "int", "low": low, "high": high},
        "n2": {"type": "categorical", "choices": sorted(draw(st.sets(st.integers(1, 64), min_size=1, max_size=4)))},
        "kernels": {"type": "categorical", "choices": draw(st.permutations(["5-1-3", "5-3-3", "9-1-5"]))},
        "learning_rate": {"type": "float", "low": rates[0], "high": rates[1], "log": draw(st.booleans())},
        "scale": {"type": "categorical", "choices": sorted(draw(st.sets(st.sampled_from([2, 3, 4]), min_size=1)))},
    }
    constants = {"patch_size": 60, "batch_size": 8}
    if draw(st.booleans()):
        parameters["ema"] = {
            "type": "float",
            "low": 0.9,
            "high": 0.99,
            "when": {"kernels": draw(st.sampled_from(["5-1-3", "9-1-5"]))},
        }
    return {"parameters": parameters, "constants": constants}


@bounded(25)
@given(spaces(), st.integers(0, 2**31))
def test_samples_of_a_space_lie_in_it(
    tmp_path_factory: pytest.TempPathFactory, given: dict[str, Any], seed: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "space.yaml"
    file.write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")
    try:
        space = load_space(file)
    except ConfigError as error:
        said = str(error)
        assert "\n" not in said and str(file) in said
        return
    source = random.Random(seed)
    for _ in range(3):
        values = space.draw(source)
        assert all(contains(space.parameters[name], value) for name, value in values.items())
        assert space.check(values) == ""
        config = space.to_config(values)
        assert config.scale in space.scales
        found = space.values_of(config, ("kernels", "filters", "scale"))
        assert found is not None and {name: found[name] for name in ("n1", "n2", "kernels")} == {
            name: values[name] for name in ("n1", "n2", "kernels")
        }
    for corner in space.corners():
        assert space.check(corner) == ""


tables = st.tuples(st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-50, 50).map(lambda value: round(value, 3)))
)


@bounded(40)
@given(tables, st.floats(-20, 20), st.floats(0.1, 10))
def test_intervals(values: NDArray[np.float64], shift: float, gain: float) -> None:
    """They hold the mean, move with the values, grow with them, and do not care for the order of seeds and images."""
    for function in (over_seeds, over_seeds_and_images):
        one = function(values)
        assert one.low <= one.mean + 1e-9 and one.mean - 1e-9 <= one.high
        assert one.mean == pytest.approx(values.mean(), abs=1e-9)
        moved = function(values * gain + shift)
        if math.isfinite(one.low):
            assert [moved.mean, moved.low, moved.high] == pytest.approx(
                [gain * x + shift for x in (one.mean, one.low, one.high)], rel=1e-6, abs=1e-5
            )
        turned = function(values[::-1, ::-1])
        assert [turned.low, turned.high] == pytest.approx([one.low, one.high], rel=1e-6, abs=1e-6)
    apart = difference(values, values)
    assert apart.mean == 0 and not apart.above_zero


@bounded(40)
@given(tables, tables)
def test_a_lead_is_the_negative_of_the_other_ones(a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
    assume(a.shape == b.shape)
    one, other = difference(a, b), difference(b, a)
    assert [one.mean, one.low, one.high] == pytest.approx([-other.mean, -other.high, -other.low], rel=1e-6, abs=1e-9)
