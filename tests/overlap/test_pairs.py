"""Images of one photograph, invented from the bundled sample, and the real ones where the data sets are on disk."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.data.known_sets import data_root
from srcnn.overlap.pairs import SIMILAR, duplicates, overlaps, same_photograph

Pixels = NDArray[np.uint8]


def need(*names: str) -> None:
    for name in names:
        if not (data_root() / name).is_dir():
            pytest.skip(f"{name} is not on disk")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRCNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def changed(
    image: Pixels, *, scale: float = 1.0, half: bool = False, mirrored: bool = False, jpeg: bool = False
) -> Pixels:
    """The image, or the middle half of its width and height, as a copy of it might have been made."""
    height, width = image.shape[:2]
    if half:
        image = image[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2]
    picture = Image.fromarray(image)
    if scale != 1:
        picture = picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC
        )
    if mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if jpeg:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=60)
        picture = Image.open(file)
    return np.asarray(picture)


@pytest.mark.parametrize(
    "change",
    [
        {"scale": 0.5},
        {"scale": 1.5},
        {"half": True},
        {"mirrored": True},
        {"jpeg": True},
        {"scale": 0.71, "half": True, "mirrored": True, "jpeg": True},
    ],
    ids=str,
)
def test_a_changed_copy_is_found_with_its_scale_and_mirror(sample: ImageSet, change: dict[str, float]) -> None:
    copies = ImageSet("copies", tuple((f"copy of {name}", changed(image, **change)) for name, image in sample.images))  # type: ignore[arg-type]
    found = overlaps(sample, copies)
    assert [(pair.first, pair.second) for pair in found] == [
        (name, f"copy of {name}") for name, _ in sample.images
    ]  # every one, and no other
    for pair in found:
        assert SIMILAR <= pair.similarity <= 1
        if pair.first != "sample/train/brick":  # whose rows fit each other at several scales
            assert pair.scale == pytest.approx(change.get("scale", 1.0), rel=0.01)
        assert pair.mirrored == bool(change.get("mirrored"))
        assert pair.share > 0.9


def test_the_order_of_the_sets_turns_the_scale_over(sample: ImageSet) -> None:
    small = ImageSet("small", tuple((name, changed(image, scale=0.6)) for name, image in sample.images[:3]))
    (there, *_), (back, *_) = overlaps(sample, small), overlaps(small, sample)
    assert (there.first, there.second) == (back.second, back.first)
    assert there.scale * back.scale == pytest.approx(1, rel=0.01)


def test_parts_that_share_a_third_overlap_and_parts_that_share_nothing_do_not() -> None:
    image = dict(load("sample/test").images)["astronaut"]
    parts = ImageSet("parts", (("left", image[:, :300]), ("right", image[:, 200:]), ("far", image[:, 310:])))
    found = {(pair.first, pair.second): pair for pair in duplicates(parts)}
    assert ("left", "far") not in found
    assert found["left", "right"].share == pytest.approx(100 / 300, abs=0.02)
    assert same_photograph(parts) == (frozenset({"left", "right", "far"}),)  # by way of the middle one


def test_textures_and_flat_images_raise_no_alarm() -> None:
    textures = {name: image for name, image in load("sample/train").images if name in ("brick", "grass", "gravel")}
    assert len(textures) == 3
    quarters = [
        (f"{name} {i}{j}", image[256 * i : 256 * i + 256, 256 * j : 256 * j + 256])
        for name, image in textures.items()
        for i in range(2)
        for j in range(2)
    ]
    rng = np.random.default_rng(3)
    ramp = np.linspace(0, 255, 200)[None] * np.ones((150, 1))
    flat = [
        ("grey", np.full((200, 200), 128, np.uint8)),
        ("white", np.full((150, 200), 255, np.uint8)),
        ("sky", np.clip(200 + rng.normal(0, 1, (200, 300)), 0, 255).astype(np.uint8)),
        ("another sky", np.clip(200 + rng.normal(0, 1, (200, 300)), 0, 255).astype(np.uint8)),
        ("ramp", ramp.astype(np.uint8)),
        ("turned ramp", ramp[:, ::-1].astype(np.uint8)),
        ("noise", rng.integers(0, 256, (200, 200), dtype=np.uint8)),
        ("dot", np.zeros((1, 1), np.uint8)),
        ("line", np.zeros((1, 500), np.uint8)),
        ("tiny", rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)),
    ]
    assert duplicates(ImageSet("textures", (*quarters, *flat))) == ()


def test_the_same_pixels_are_recognised_without_details() -> None:
    grey = np.full((40, 30), 90, np.uint8)
    found = duplicates(ImageSet("flat", (("a", grey), ("b", grey.copy()), ("c", np.full((40, 30), 91, np.uint8)))))
    assert [(pair.first, pair.second, pair.similarity) for pair in found] == [("a", "b", 1.0)]


def test_set5s_woman_is_a_training_image_of_bsds300() -> None:
    need("BSDS300/train", "Set5")
    (pair,) = overlaps(load("BSDS300/train"), load("Set5"))
    assert (pair.first, pair.second, pair.mirrored) == ("302003", "woman_GT", False)
    assert pair.scale == pytest.approx(0.715, abs=0.01)  # 228x344 of 321x481
    assert pair.similarity > 0.99


def test_two_images_of_t91_are_the_same_and_two_pairs_overlap() -> None:
    need("T91")
    found = {(pair.first, pair.second): pair for pair in duplicates(load("T91"))}
    assert found.keys() == {("t36", "t65"), ("t15", "t33"), ("t56", "t57")}
    assert found["t36", "t65"].similarity == 1
    assert same_photograph(load("T91")) == tuple(map(frozenset, ({"t15", "t33"}, {"t36", "t65"}, {"t56", "t57"})))


@pytest.fixture
def twins(sample: ImageSet) -> ImageSet:
    name, image = sample.images[-1]
    return ImageSet("twins", ((name, image), ("copy", changed(image, scale=0.8)), sample.images[0]))


def test_a_result_is_kept_and_read_again(twins: ImageSet, cache: Path) -> None:
    found = duplicates(twins)
    (file,) = cache.iterdir()
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert [item["second"] for item in kept] == ["copy"]
    kept[0]["similarity"] = 0.75
    file.write_text(json.dumps(kept), encoding="utf-8")
    assert duplicates(ImageSet("by another name", twins.images))[0].similarity == 0.75
    fewer = ImageSet("twins", twins.images[1:])
    assert duplicates(fewer) == ()  # other images, another entry
    assert overlaps(twins, fewer) != found
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("damage", ["", "[", '[{"first": "a"}]', "7"])
def test_a_damaged_entry_is_found_out_again(twins: ImageSet, cache: Path, damage: str) -> None:
    found = duplicates(twins)
    (file,) = cache.iterdir()
    file.write_text(damage, encoding="utf-8")
    assert duplicates(twins) == found
    assert json.loads(file.read_text(encoding="utf-8"))[0]["second"] == "copy"


def test_nothing_fails_where_nothing_can_be_written(
    twins: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("SRCNN_CACHE", str(tmp_path / "file" / "cache"))
    assert len(duplicates(twins)) == 1
