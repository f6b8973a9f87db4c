"""An image set's digest, and how it is split."""

from __future__ import annotations

import numpy as np
import pytest

from srcnn.data.image_set import ImageSet, split
from srcnn.errors import DataError


def names(images: ImageSet) -> list[str]:
    return [name for name, _ in images.images]


def test_the_digest_sees_names_order_shapes_and_pixels() -> None:
    a, b = np.zeros((2, 3), np.uint8), np.ones((2, 3), np.uint8)
    sets = [
        ImageSet("s", (("a", a), ("b", b))),
        ImageSet("s", (("b", b), ("a", a))),
        ImageSet("s", (("c", a), ("b", b))),
        ImageSet("s", (("a", a.reshape(3, 2)), ("b", b))),
        ImageSet("s", (("a", b), ("b", b))),
    ]
    assert len({s.digest for s in sets}) == len(sets)
    assert sets[0].digest == ImageSet("other", (("a", a.copy()), ("b", b.copy()))).digest


def numbered(count: int) -> ImageSet:
    return ImageSet("S", tuple((f"{i:02d}", np.full((2, 2), i, np.uint8)) for i in range(count)), ("bad.png",))


def test_a_split_is_a_partition_that_keeps_the_order() -> None:
    train, held = split(numbered(20), 5, seed=1)
    assert (train.name, held.name) == ("S[train]", "S[validation]")
    assert (len(train), len(held)) == (15, 5)
    assert sorted(names(train) + names(held)) == names(numbered(20))
    assert names(train) == sorted(names(train))
    assert names(held) == sorted(names(held))
    assert all(int(image[0, 0]) == int(name) for part in (train, held) for name, image in part.images)


def test_a_split_depends_on_the_seed_and_not_on_the_order_of_reading() -> None:
    images = numbered(20)
    backwards = ImageSet("S", images.images[::-1])
    assert set(names(split(images, 5, 1)[1])) == set(names(split(backwards, 5, 1)[1]))
    assert names(split(images, 5, 1)[1]) == names(split(images, 5, 1)[1])
    assert names(split(images, 5, 1)[1]) != names(split(images, 5, 2)[1])


@pytest.mark.parametrize("validation", [-1, 0, 3, 4])
def test_a_split_that_leaves_a_side_empty_is_refused(validation: int) -> None:
    with pytest.raises(DataError, match=rf"1 <= validation < 3 images.*but got {validation}$"):
        split(numbered(3), validation, seed=0)


def test_groups_go_to_one_side_and_leave_a_draw_that_divides_none_as_it_was() -> None:
    images, groups = numbered(20), [{"03", "11"}, {"05", "06", "17"}]
    alike = 0
    for seed in range(60):
        plain = set(names(split(images, 5, seed)[1]))
        train, held = split(images, 5, seed, together=groups)
        assert sorted(names(train) + names(held)) == names(images)
        assert len(held) == 5
        for group in groups:
            assert group <= set(names(held)) or not group & set(names(held))
        if all(group <= plain or not group & plain for group in groups):
            alike += 1
            assert set(names(held)) == plain
    assert 10 < alike < 60


def test_a_group_that_is_too_large_is_trained_on() -> None:
    assert names(split(numbered(4), 2, 0, together=[{"00", "01", "02"}])[1]) == ["03"]  # fewer than were asked for
    with pytest.raises(DataError, match="more images than are to be held out, 1"):
        split(numbered(4), 1, 0, together=[{"00", "01"}, {"02", "03"}])


def test_what_is_left_out_is_on_no_side_and_the_draw_passes_over_it() -> None:
    images = numbered(20)
    first = names(split(images, 5, 1)[1])
    train, held = split(images, 5, 1, leave_out={first[0], "19"})
    assert not {first[0], "19"} & {*names(train), *names(held)}
    assert (len(train), len(held)) == (13, 5)
    assert set(first[1:]) - {"19"} <= set(names(held))
