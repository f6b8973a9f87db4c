"""Folders of photos: what is looked at, where results go, what is finished."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from srcnn.errors import ConfigError, DataError
from srcnn.upscaling.folders import RECORD, Source, check_outputs, find_photos, is_finished, read_record, remember


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with photos, sidecars, system files, links and results."""
    top = tmp_path / "photos"
    for name in (
        "b.jpg", "a.PNG", "a.xmp", "Thumbs.db", ".DS_Store", "._b.jpg", "sub/c.tif", "sub/@eaDir/c.tif", "sub/notes", "out/a.png",
    ):  # fmt: skip
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(top) + b"/\xff.jpg")).write_bytes(b"x")
    (top / "sub" / "loop").symlink_to(top)
    (top / "dangling.jpg").symlink_to(top / "nowhere")
    os.mkfifo(top / "pipe.jpg")
    return top


def test_a_folder_is_walked_once_in_order(tree: Path) -> None:
    found = find_photos([tree], tree / "out")
    assert [os.fsencode(source.place) for source in found.sources] == [
        b"a.PNG",
        b"b.jpg",
        b"\xff.jpg",
        b"sub/c.tif",
        b"sub/notes",
    ]
    assert found.skipped == {
        "hidden": 2, "sidecar file": 1, "system file": 2, "not a regular file": 2, "folder met before": 1, "folder of results": 1,
    }  # fmt: skip
    assert [source.must_be_photo for source in found.sources] == [True] * 4 + [False]
    assert not any(source.named for source in found.sources)


def test_files_that_are_named_are_taken_as_they_are(tree: Path) -> None:
    found = find_photos([tree / "sub" / "notes", tree / "a.xmp"], None)
    assert found.sources == [
        Source(tree / "sub" / "notes", Path("notes"), named=True),
        Source(tree / "a.xmp", Path("a.xmp"), named=True),
    ]
    assert all(source.must_be_photo for source in found.sources)


def test_mistakes_with_arguments(tree: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png: no such file or folder"):
        find_photos([tree / "none.png"], None)
    with pytest.raises(ConfigError, match="--out: must be given for the results of a folder"):
        find_photos([tree], None)
    with pytest.raises(ConfigError, match="--out: must be another folder than the photos'"):
        find_photos([tree], tree / "sub" / "..")
    with pytest.raises(DataError, match=r"pipe\.jpg: is neither a file nor a folder"):
        find_photos([tree / "pipe.jpg"], None)
    with pytest.raises(DataError, match=r"cannot be opened"):
        find_photos([tree / ("x" * 300)], None)


def test_a_folder_that_cannot_be_read_is_a_failure(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root every folder can be read, so the refusal is put in the place of the system's."""
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find_photos([tree], tree / "out")
    assert len(found.sources) == 3
    assert [message for _, message in found.failures] == [
        f"{tree / 'sub'}: the folder cannot be read (Permission denied)"
    ]


def test_two_photos_with_one_result_are_refused(tree: Path) -> None:
    check_outputs([(tree / "a.PNG", tree / "out/a.png"), (tree / "b.jpg", tree / "out/b.jpg")])
    with pytest.raises(ConfigError, match=r"out/a\.png: would be the result of .*a\.PNG and of .*b\.jpg; rename one"):
        check_outputs([(tree / "a.PNG", tree / "out/a.png"), (tree / "b.jpg", tree / "sub/../out/a.png")])
    with pytest.raises(ConfigError, match=r"b\.jpg: must not be written over, because it is one of the photos"):
        check_outputs([(tree / "a.PNG", tree / "b.jpg"), (tree / "b.jpg", tree / "out/b.jpg")])
    os.link(tree / "b.jpg", tree / "same.jpg")
    with pytest.raises(ConfigError, match=r"same\.jpg: must not be written over"):
        check_outputs([(tree / "b.jpg", tree / "same.jpg")])


def test_the_record_knows_what_is_finished(tree: Path) -> None:
    out = tree / "out"
    photo, result = tree / "b.jpg", out / "a.png"
    assert read_record(out) == {}
    remember(photo, result, out, "x3")
    assert is_finished(photo, result, out, "x3", read_record(out))
    assert not is_finished(photo, result, out, "x4", read_record(out))
    assert not is_finished(tree / "a.PNG", result, out, "x3", read_record(out))
    os.utime(result, ns=(1, 1))  # somebody edited it
    assert not is_finished(photo, result, out, "x3", read_record(out))
    remember(photo, result, out, "x3")
    assert is_finished(photo, result, out, "x3", read_record(out))
    photo.write_bytes(b"another photo")
    assert not is_finished(photo, result, out, "x3", read_record(out))
    result.unlink()
    assert not is_finished(photo, result, out, "x3", read_record(out))


def test_a_cut_line_of_the_record_costs_only_itself(tree: Path) -> None:
    out = tree / "out"
    odd = Path(os.fsdecode(os.fsencode(tree) + b"/\xff.jpg"))
    (out / RECORD).write_text('{"result": "b.png", "resu', encoding="utf-8")
    remember(odd, out / "a.png", out, "x3")
    assert list(read_record(out)) == ["a.png"]
    assert is_finished(odd, out / "a.png", out, "x3", read_record(out))
    (out / RECORD).write_bytes(b"\xff\xfe")
    assert read_record(out) == {}


def test_a_result_is_known_again_if_the_process_died_before_or_after_it_got_its_name(tmp_path: Path) -> None:
    photo, out = tmp_path / "a.png", tmp_path / "out"
    out.mkdir()
    photo.write_bytes(b"photo")
    (out / ".writing-1.png").write_bytes(b"result")
    remember(photo, out / "a.png", out, "x2", out / ".writing-1.png")
    assert not is_finished(photo, out / "a.png", out, "x2", read_record(out))
    os.replace(out / ".writing-1.png", out / "a.png")
    assert is_finished(photo, out / "a.png", out, "x2", read_record(out))
