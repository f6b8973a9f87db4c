"""What shows a test image is neither trained on nor chosen by, and images of one photograph stay together."""

from __future__ import annotations

import json

import numpy as np
import pytest

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet, split
from srcnn.data.known_sets import data_root
from srcnn.errors import DataError
from srcnn.overlap.leaks import Leak, divide, footnote, leaks, lines, marked, read_tags, tags, trained_on

STRADDLED = (
    5,
    8,
    13,
    22,
    29,
    36,
    39,
    49,
    50,
    52,
    57,
    89,
    93,
    94,
    107,
    118,
    119,
    135,
    138,
    154,
    158,
    181,
    184,
    185,
    196,
)


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    # One for the module: results are found by what the images hold.
    monkeypatch.setenv("SRCNN_CACHE", str(tmp_path_factory.getbasetemp() / "leaks-cache"))


def names(images: ImageSet | None) -> list[str]:
    return [] if images is None else [name for name, _ in images.images]


@pytest.fixture(scope="module")
def photos() -> ImageSet:
    """Parts of eight photographs, 128x128."""
    return ImageSet("photos", tuple((n, i[100:228, 100:228]) for n, i in load("sample/train+sample/test").images[:8]))


def shown(photos: ImageSet, *which: int) -> ImageSet:
    """A test set that shows some of them, mirrored and smaller by a border."""
    return ImageSet("test", tuple((f"test {k}", photos.images[k][1][5:120, 120:4:-1]) for k in which))


def test_a_training_image_that_shows_a_test_image_is_left_out(photos: ImageSet) -> None:
    plain = divide(photos, 2, 7, [])
    assert (names(plain.training), names(plain.validation)) == tuple(map(names, split(photos, 2, 7)))
    first = names(photos).index(names(plain.training)[0])
    found = divide(photos, 2, 7, [shown(photos, first)])
    assert names(found.validation) == names(plain.validation)  # the draw is as it was
    assert names(found.training) == names(plain.training)[1:]
    (leak,) = found.left_out
    assert (leak.image, leak.shows, leak.of, leak.kind, leak.mirrored) == (
        photos.images[first][0],
        f"test {first}",
        "test",
        "test",
        True,
    )
    assert found.kept == ()
    assert found.training.digest != plain.training.digest


def test_a_validation_image_that_shows_a_test_image_leaves_and_the_next_one_is_drawn(photos: ImageSet) -> None:
    plain = divide(photos, 2, 7, [])
    gone = names(plain.validation)[0]
    found = divide(photos, 2, 7, [shown(photos, names(photos).index(gone))])
    assert gone not in names(found.validation) + names(found.training)
    assert len(names(found.validation)) == 2
    assert names(plain.validation)[1] in names(found.validation)


def test_what_overlaps_stays_on_request(photos: ImageSet) -> None:
    plain = divide(photos, 2, 7, [])
    found = divide(photos, 2, 7, [shown(photos, 0, 5)], allow_overlap=True)
    assert (names(found.training), names(found.validation)) == (names(plain.training), names(plain.validation))
    assert found.left_out == ()
    assert [leak.image for leak in found.kept] == [names(photos)[0], names(photos)[5]]


def test_without_validation_images_it_is_the_same(photos: ImageSet) -> None:
    assert divide(photos, 0, 7, [shown(photos, 1)]).validation is None
    assert names(divide(photos, 0, 7, [shown(photos, 1)]).training) == [
        n for i, n in enumerate(names(photos)) if i != 1
    ]
    assert divide(photos, 0, 7, []).training is photos


def test_a_set_of_test_images_alone_is_refused_with_the_way_out(photos: ImageSet) -> None:
    with pytest.raises(DataError, match=r"photos: no training image remains.*--allow-overlap keeps them$"):
        divide(photos, 2, 7, [photos])
    with pytest.raises(
        DataError, match=r"1 <= validation < 2 images` \(of 8, the others left out\) must hold, but got 2$"
    ):
        divide(photos, 2, 7, [shown(photos, *range(6))])


def test_a_photograph_goes_to_one_side(photos: ImageSet) -> None:
    name, image = photos.images[3]
    twins = ImageSet("twins", (*photos.images, ("z copy", np.ascontiguousarray(image[10:, :-10]))))
    straddled = 0
    for seed in range(30):
        sides = divide(twins, 3, seed, [])
        for side in (names(sides.training), names(sides.validation)):
            assert (name in side) == ("z copy" in side)
        assert len(names(sides.validation)) == 3
        before = set(names(split(twins, 3, seed)[1]))
        if len(before & {name, "z copy"}) == 1:
            straddled += 1
        else:
            assert set(names(sides.validation)) == before
    assert straddled > 3


def test_training_images_that_show_a_validation_image_of_another_set_leave(photos: ImageSet) -> None:
    pool = ImageSet("pool", photos.images[:4])
    copy = np.ascontiguousarray(photos.images[1][1][:110, :115])
    images = ImageSet("images", (*photos.images[1:], ("copy", copy)))
    validation = ImageSet("pool[validation]", photos.images[1:3])
    found = trained_on(images, pool, validation, [shown(photos, 6)])
    assert names(found.training) == names(photos)[3:6] + names(photos)[7:]  # not the copy, not the test image
    assert {(leak.image, leak.of, leak.kind) for leak in found.left_out} == {
        ("copy", "pool", "validation"),
        (names(photos)[6], "test", "test"),
    }
    kept = trained_on(images, pool, validation, [shown(photos, 6)], allow_overlap=True)
    assert names(kept.training) == [*names(photos)[3:], "copy"]  # the very images held out are never trained on
    assert kept.kept == found.left_out
    with pytest.raises(DataError, match="no training image remains without the 2 held out"):
        trained_on(validation, pool, validation, [])


# Faults of earlier versions, on the real sets


def need(*wanted: str) -> None:
    for name in wanted:
        if not (data_root() / name).is_dir():
            pytest.skip(f"{name} is not on disk")


def test_302003_is_not_trained_on_where_set5_is_measured() -> None:
    need("T91", "BSDS300/train", "Set5")
    images, set5 = load("T91+BSDS300/train"), load("Set5")
    found = divide(images, 12, 123, [set5])
    assert "BSDS300/train/302003" not in names(found.training) + names(found.validation)
    assert [(leak.image, leak.shows) for leak in found.left_out] == [("BSDS300/train/302003", "woman_GT")]
    assert names(found.validation) == names(split(images, 12, 123)[1])
    assert leaks(load("T91"), [set5], "test") == ()


def test_the_same_pixels_never_straddle_the_split_of_t91() -> None:
    need("T91")
    images = load("T91")
    for seed in STRADDLED:
        before, now = names(split(images, 9, seed)[1]), names(divide(images, 9, seed, []).validation)
        assert len({"t36", "t65"} & set(before)) == 1
        assert len({"t36", "t65"} & set(now)) != 1
        assert len(now) == 9
    # The images that choose in every published table.
    assert names(divide(images, 9, 123, []).validation) == [
        "t10",
        "t12",
        "t25",
        "t38",
        "t44",
        "t59",
        "t60",
        "tt10",
        "tt19",
    ]


# In words


def leak(number: int = 0, **fields: object) -> Leak:
    given = {"image": f"i{number}", "shows": "woman", "of": "Set5", "kind": "test", "similarity": 0.99, "scale": 0.71}
    return Leak(**{**given, **fields})  # type: ignore[arg-type]


def test_tags_hold_what_was_found_and_are_read_again() -> None:
    found = (leak(0), leak(1, mirrored=True, kind="validation"))
    assert tags((), ()) == {}
    assert tags(found, ()).keys() == {"data.left_out"}
    assert read_tags(tags(found, found[:1])) == (found, found[:1])
    assert read_tags({}) == ((), ())


def test_a_long_tag_is_cut_and_says_so() -> None:
    many = tuple(map(leak, range(500)))
    text = tags(many, ())["data.left_out"]
    assert len(text) < 5000
    items = json.loads(text)
    assert items[-1] == {"more": 500 - len(items) + 1}
    assert read_tags({"data.left_out": text})[0] == many[: len(items) - 1]


def test_sentences_name_the_images_and_the_mark_has_a_footnote() -> None:
    kept = (leak(7),)
    assert lines((), ()) == []
    assert lines(kept, ()) == ["left out, since they show what is measured: i7 shows woman of Set5 at scale 0.71"]
    assert "--allow-overlap" in lines((), kept)[0]
    assert lines(tuple(map(leak, range(8))), ())[0].endswith("; and 3 more")
    assert [marked(name, kept) for name in ("Set5", "Set14", "Set5/woman")] == ["Set5 †", "Set14", "Set5/woman †"]
    assert footnote(kept).startswith("† ") and "i7 shows woman" in footnote(kept)
    assert footnote(()) == ""
