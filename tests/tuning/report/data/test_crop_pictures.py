"""Pictures are read from the artifacts of a search; what is missing or damaged is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srcnn.tuning.report.data.crop_pictures import read_pictures
from srcnn.tuning.report.data.search_data import find_parent, gather

from report_parts import picture
from report_store import Store

KINDS = ("original", "bicubic", "reference", "champion")


def log(store: Store, folder: Path, rows: object, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    (folder / "pictures.json").write_text(json.dumps(rows), encoding="utf-8")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    store.tracker.client.log_artifacts(store.tracker.parent_id, str(folder), f"pictures/{folder.name}")


def row(image: str, **psnr: float) -> dict[str, object]:
    return {"image": image, "x": 1, "y": 2, "width": 4, "height": 3, "psnr": psnr}


def test_pictures_of_a_scale(store: Store, tmp_path: Path) -> None:
    store.open("mine")
    assert read_pictures(store.tracker.client, store.tracker.parent_id) == {}
    rows = [
        row("baby", bicubic=30.0, champion=31.0),
        row("bird", champion=float("nan")),
        row("no champion"),
        row("sizes"),
    ]
    files = {f"{image}-{kind}.png": picture(9) for image in ("baby", "bird", "no champion", "sizes") for kind in KINDS}
    files["bird-reference.png"] = b"damaged"
    files["no champion-champion.png"] = b""
    files["sizes-bicubic.png"] = picture(9, width=5)
    log(store, tmp_path / "x3", rows, files)
    found = gather(store.uri, find_parent(store.uri)).pictures
    assert set(found) == {3}
    baby, bird = found[3]
    assert (baby.image, baby.width, baby.height, dict(baby.psnr)) == ("baby", 4, 3, {"bicubic": 30.0, "champion": 31.0})
    assert tuple(baby.files) == KINDS and tuple(bird.files) == ("original", "bicubic", "champion") and not bird.psnr


@pytest.mark.parametrize("rows", [{}, [1], "text"])
def test_a_list_that_cannot_be_read_is_no_picture(store: Store, tmp_path: Path, rows: object) -> None:
    store.open("mine")
    log(store, tmp_path / "x2", rows, {"a-bicubic.png": picture(1)})
    assert read_pictures(store.tracker.client, store.tracker.parent_id) == {}
