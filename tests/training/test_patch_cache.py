"""The cache gives back what was prepared, and nothing half-made."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.system.folders import cache_folder
from srcnn.training.patch_cache import prepare_cached
from srcnn.training.patches import TrainingData, prepare


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRCNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def photos(count: int = 2) -> ImageSet:
    return ImageSet("photos", tuple((n, image[:90, :100]) for n, image in load("sample/test").images[:count]))


def equal(a: TrainingData, b: TrainingData) -> bool:
    arrays = all(
        np.array_equal(getattr(a, n), getattr(b, n)) for n in ("sizes", "small", "bicubic", "target", "copies")
    )
    return arrays and (a.scale, a.color, a.protocol, a.names) == (b.scale, b.color, b.protocol, b.names)


def mapped(array: NDArray[Any]) -> bool:
    """Whether the array lies in a file: a plain array over a memory map, so that pickle sends it without a copy."""
    return type(array) is np.ndarray and isinstance(array.base, np.memmap)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_the_second_time_is_the_first(folder: Path) -> None:
    images = photos()
    expected = prepare(images.images, 3)
    assert equal(prepare_cached(images, 3), expected)
    assert len(entries(folder)) == 1
    again = prepare_cached(images, 3)
    assert mapped(again.bicubic)
    assert equal(again, expected)


def test_a_pickle_with_buffers_of_its_own_copies_no_plane() -> None:
    """What Ray puts into its object store: workers then share the pages."""
    prepare_cached(photos(), 3)
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(prepare_cached(photos(), 3), protocol=5, buffer_callback=buffers.append)
    assert len(stream) < 2000
    assert len(buffers) == 5


def test_other_pixels_scales_and_colours_are_other_entries(folder: Path) -> None:
    prepare_cached(photos(), 3)
    prepare_cached(photos(), 2)
    prepare_cached(photos(), 3, color="ycbcr")
    prepare_cached(photos(1), 3)
    prepare_cached(photos(), 3, copies=1)
    assert len(entries(folder)) == 5
    assert equal(prepare_cached(photos(), 3, copies=1), prepare(photos().images, 3, copies=1))


@pytest.mark.parametrize("name", ["sizes", "small", "bicubic", "target", "copies"])
@pytest.mark.parametrize("harm", ["type", "shape", "empty", "values"])
def test_an_entry_of_other_sizes_or_types_is_made_again(folder: Path, name: str, harm: str) -> None:
    images = photos()
    expected = prepare(images.images, 3)
    prepare_cached(images, 3)
    (entry,) = entries(folder)
    before = np.load(entry / f"{name}.npy")
    changed = {
        "type": before.astype(np.float64),
        "shape": before[..., :-1],
        "empty": before[:0],
        "values": before + (10**9 if name in ("sizes", "copies") else 0),
    }[harm]
    np.save(entry / f"{name}.npy", changed)
    assert equal(prepare_cached(images, 3), expected)


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "1", '["a"]', '["a", "b", "c"]'])
def test_an_entry_of_other_names_is_made_again(folder: Path, text: str) -> None:
    images = photos()
    prepare_cached(images, 3)
    (entry,) = entries(folder)
    (entry / "names.json").write_text(text, encoding="utf-8")
    assert equal(prepare_cached(images, 3), prepare(images.images, 3))


def test_a_damaged_entry_is_made_again(folder: Path) -> None:
    images = photos()
    prepare_cached(images, 3)
    (entry,) = entries(folder)
    (entry / "target.npy").write_bytes(b"half")
    assert equal(prepare_cached(images, 3), prepare(images.images, 3))
    assert mapped(prepare_cached(images, 3).target)


def test_the_least_recently_used_goes_first(folder: Path) -> None:
    for scale in (2, 3, 4):
        prepare_cached(photos(), scale)
    size = max(sum(f.stat().st_size for f in e.iterdir()) for e in entries(folder))
    prepare_cached(photos(), 2)  # used again: scale 3 is now the oldest
    prepare_cached(photos(), 2, color="ycbcr", limit=5 * size)
    assert mapped(prepare_cached(photos(), 2).target)
    assert not mapped(prepare_cached(photos(), 3).target)


def test_a_folder_that_cannot_be_written_caches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SRCNN_CACHE", str(tmp_path / "file" / "cache"))
    assert equal(prepare_cached(photos(), 3), prepare(photos().images, 3))
    assert cache_folder() == tmp_path / "file" / "cache"


def test_processes_that_write_at_once_do_not_disturb_each_other(folder: Path) -> None:
    images, expected = photos(), prepare(photos().images, 3)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: prepare_cached(images, 3), range(16)))
    assert all(equal(result, expected) for result in results)
    assert len(entries(folder)) == 1
