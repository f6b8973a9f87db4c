"""Named sets, folders, the bundled sample, splitting, verification, and files that appear whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from srcnn.data.datasets import load, verify
from srcnn.data.image_set import ImageSet
from srcnn.data.known_sets import SETS, KnownSet
from srcnn.errors import DataError
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import score
from srcnn.imaging.image_files import write_image


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
    with pytest.raises(DataError, match=r"broken\.png: .*; --skip-bad skips such files$"):
        load(str(tmp_path), skip_bad=False)
    with pytest.raises(DataError, match=r"broken\.png: ((?!skip-bad).)*$"):  # a command without this flag
        load(str(tmp_path))
    images = load(str(tmp_path), skip_bad=True)
    assert names(images) == ["img0", "img1"]
    assert images.skipped == ("broken.png",)


def test_a_set_of_nothing_but_bad_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="no file can be decoded, of 1, such as"):
        load(str(tmp_path), skip_bad=True)


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
