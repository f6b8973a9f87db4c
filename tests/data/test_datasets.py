"""Named sets, folders, the bundled sample, splitting, verification, and files that appear whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from srcnn.data.datasets import load, verify
from srcnn.data.image_set import ImageSet, split
from srcnn.data.known_sets import SETS, KnownSet, data_root, locate
from srcnn.errors import DataError
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import score
from srcnn.imaging.image_files import write_image
from srcnn.system.atomic_file import atomic_write

REAL = os.environ.get("SRCNN_DATA")
needs_data = pytest.mark.skipif(not REAL, reason="SRCNN_DATA names no folder with the real sets")


def fill(folder: Path, count: int, *, suffix: str = ".png", start: int = 0) -> Path:
    """Small images img0, img1, ... whose pixels depend on their number."""
    for index in range(start, start + count):
        pixels = np.random.default_rng(index).integers(0, 256, (8, 10, 3), dtype=np.uint8)
        write_image(folder / f"img{index}{suffix}", pixels)
    return folder


def names(images: ImageSet) -> list[str]:
    return [name for name, _ in images.images]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[KnownSet], None]:
    registry = cast("dict[str, KnownSet]", SETS)
    return lambda known: monkeypatch.setitem(registry, known.name, known)


# Loading


def test_a_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    images = load(str(fill(tmp_path / "photos", 3)))
    assert names(images) == ["img0", "img1", "img2"]
    assert images.name == str(tmp_path / "photos")
    assert len(images) == 3
    assert images.skipped == ()
    assert all(image.dtype == np.uint8 and image.shape == (8, 10, 3) for _, image in images.images)


def test_names_stay_distinct_when_only_the_suffix_differs(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    fill(tmp_path, 1, suffix=".bmp")
    assert names(load(str(tmp_path))) == ["img0.bmp", "img0.png", "img1"]


def test_a_name_wins_over_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "root" / "Set5", 2)
    fill(tmp_path / "Set5", 3)
    monkeypatch.chdir(tmp_path)
    assert len(load("Set5", tmp_path / "root")) == 2
    assert len(load("./Set5", tmp_path / "root")) == 3


def test_sets_joined_by_plus(tmp_path: Path) -> None:
    fill(tmp_path / "Set5", 2)
    fill(tmp_path / "BSDS300" / "test", 1)
    images = load("Set5+BSDS300/test", tmp_path)
    assert images.name == "Set5+BSDS300/test"
    assert names(images) == ["Set5/img0", "Set5/img1", "BSDS300/test/img0"]


def test_a_folder_whose_name_has_a_plus(tmp_path: Path) -> None:
    assert len(load(str(fill(tmp_path / "a+b", 2)))) == 2


@pytest.mark.parametrize("spec", ["Set5+Set5", "sample+sample/train"])
def test_joining_a_set_with_itself_is_refused(tmp_path: Path, spec: str) -> None:
    with pytest.raises(DataError, match="appears several times"):
        load(spec, tmp_path)


@pytest.mark.parametrize("spec", ["set5", "Set 5", "", "Set14+"])
def test_unknown_names_list_the_known_ones_and_mention_folders(tmp_path: Path, spec: str) -> None:
    fill(tmp_path / "Set14", 1)
    with pytest.raises(DataError, match=r"does not exist; .*Set5.*; or give the path of a folder") as caught:
        load(spec, tmp_path)
    assert "\n" not in str(caught.value)


def test_the_nearest_name_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'T91'"):
        load("t91", tmp_path)


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    with pytest.raises(DataError, match="is a file"):
        load(str(tmp_path / "img0.png"))


def test_a_missing_set_says_where_it_looked_and_how_to_fetch_it(tmp_path: Path) -> None:
    root = tmp_path / "my data"
    with pytest.raises(DataError) as caught:
        load("T91", root)
    message = str(caught.value)
    assert str(root / "T91") in message
    assert f"python experiments/data.py fetch T91 --data-root '{root}'" in message
    assert "\n" not in message


def test_a_corrupt_file_is_named_or_skipped(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    bad = tmp_path / "broken.png"
    bad.write_bytes((tmp_path / "img0.png").read_bytes()[:60])
    with pytest.raises(DataError, match=r"broken\.png: .*--skip-bad"):
        load(str(tmp_path))
    images = load(str(tmp_path), skip_bad=True)
    assert names(images) == ["img0", "img1"]
    assert images.skipped == ("broken.png",)


def test_a_set_of_nothing_but_bad_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="none of its 1 files can be decoded"):
        load(str(tmp_path), skip_bad=True)


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


def test_the_data_root_is_the_option_then_the_environment_then_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRCNN_DATA", "/somewhere")
    assert data_root("x/y") == Path("x/y")
    assert data_root(None) == Path("/somewhere")
    assert data_root("~/y") == Path.home() / "y"
    monkeypatch.delenv("SRCNN_DATA")
    assert data_root(None) == Path("data")


# The bundled sample


def test_the_sample_has_different_scenes_for_training_and_testing() -> None:
    train, test = load("sample"), load("sample/test")
    assert train.name == "sample/train"
    assert (len(train), len(test)) == (SETS["sample/train"].count, SETS["sample/test"].count) == (14, 4)
    assert not {name.split("_")[0] for name in names(train)} & {name.split("_")[0] for name in names(test)}
    assert verify("sample/train") == verify("sample/test") == []


@pytest.mark.parametrize("name", ["sample/train", "sample/test"])
def test_the_sample_is_neither_flat_nor_noise(name: str) -> None:
    for title, image in load(name).images:
        assert 19 < score(None, degrade(image, 3), with_ssim=False).psnr < 44, title


def test_the_sample_loads_without_the_packages_that_ship_it() -> None:
    code = (
        "import sys, srcnn.data.datasets as d; d.load('sample'); d.load('sample/test'); "
        "print([m for m in ('skimage', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_absent_photograph_is_named(register: Callable[[KnownSet], None]) -> None:
    register(KnownSet("sample/test", 1, "wheels", bundled=("skimage/data/no_such_photo.png",)))
    with pytest.raises(DataError, match=r"no_such_photo\.png: not installed"):
        load("sample/test")
    assert len(verify("sample/test")) == 1


def test_a_bundled_set_has_no_folder() -> None:
    with pytest.raises(DataError, match="has no folder"):
        locate("sample/train")


# Splitting


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
    with pytest.raises(DataError, match="more than 1 images, the number to hold out"):
        split(numbered(4), 1, 0, together=[{"00", "01"}, {"02", "03"}])


def test_what_is_left_out_is_on_no_side_and_the_draw_passes_over_it() -> None:
    images = numbered(20)
    first = names(split(images, 5, 1)[1])
    train, held = split(images, 5, 1, leave_out={first[0], "19"})
    assert not {first[0], "19"} & {*names(train), *names(held)}
    assert (len(train), len(held)) == (13, 5)
    assert set(first[1:]) - {"19"} <= set(names(held))


# Verification


def test_verify_ignores_names_and_lossless_formats_but_not_pixels(
    tmp_path: Path, register: Callable[[KnownSet], None]
) -> None:
    fill(tmp_path / "a" / "Tiny", 3)
    register(KnownSet("Tiny", 3, "x.zip", digest="?"))
    (problem,) = verify("Tiny", tmp_path / "a")
    digest = problem.rpartition(" ")[2]
    register(KnownSet("Tiny", 3, "x.zip", digest=digest))
    assert verify("Tiny", tmp_path / "a") == []
    fill(tmp_path / "b" / "Tiny", 3, suffix=".bmp")
    (tmp_path / "b" / "Tiny" / "img0.bmp").rename(tmp_path / "b" / "Tiny" / "z.bmp")
    assert verify("Tiny", tmp_path / "b") == []
    fill(tmp_path / "c" / "Tiny", 3, start=1)
    assert "digest" in verify("Tiny", tmp_path / "c")[0]


def test_verify_lists_every_problem(tmp_path: Path, register: Callable[[KnownSet], None]) -> None:
    register(KnownSet("Tiny", 3, "x.zip", sizes=frozenset({(10, 8)}), digest="?"))
    assert "not in" in verify("Tiny", tmp_path)[0]
    folder = fill(tmp_path / "Tiny", 1)
    write_image(folder / "large.png", np.zeros((9, 10), np.uint8))
    (folder / "bad.png").write_bytes(b"")
    (folder / "bad2.png").write_bytes(b"")
    problems = verify("Tiny", tmp_path)
    assert len(problems) == 4
    assert "must have 3 images, but has 4" in problems[0]
    assert any("must be 10x8, but is 10x9" in line for line in problems)


def test_verify_refuses_an_unknown_name() -> None:
    with pytest.raises(DataError, match="does not exist"):
        verify("Set6")


@needs_data
@pytest.mark.parametrize("name", [name for name, known in SETS.items() if not known.bundled])
def test_the_real_sets_are_what_the_registry_says(name: str) -> None:
    assert REAL is not None
    if not locate(name, Path(REAL)).is_dir():
        pytest.skip(f"SRCNN_DATA has no {name}")
    assert verify(name, Path(REAL)) == []


# Files


def test_an_atomic_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    for text in ("first", "second"):
        with atomic_write(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == ".txt"
            temporary.write_text(text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_written_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    with atomic_write(tmp_path / "atomic") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_image_that_cannot_be_written_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        write_image(tmp_path / "file" / "a.png", np.zeros((2, 2), np.uint8))
