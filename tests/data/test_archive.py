"""Members of archives: the wanted ones come out whole, the rest is passed over or refused. Whole downloads: `test_fetch`."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from srcnn.data import archive
from srcnn.data.archive import WrongArchive, unpack


def flat(member: PurePosixPath) -> str | None:
    """Everything that ends in .bmp, without its folders."""
    return member.name if member.suffix == ".bmp" else None


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as pack:
        for name, content in members.items():
            pack.writestr(name, content)
    return path


def test_wanted_members_come_out_whole_and_others_do_not(tmp_path: Path) -> None:
    members = {
        "a/one.bmp": b"1" * 100_000,
        "two.bmp": b"2",
        "read.me": b"no",
        "__MACOSX/one.bmp": b"x",
        "a/.t.bmp": b"x",
    }
    source, out = zipped(tmp_path / "a.zip", members), tmp_path / "out"
    out.mkdir()
    unpack(source, out, flat)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == {"one.bmp": b"1" * 100_000, "two.bmp": b"2"}


@pytest.mark.parametrize("name", ["../up.bmp", "/etc/up.bmp", "a/../../up.bmp", "C:up.bmp", "..\\up.bmp"])
def test_a_member_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    with pytest.raises(WrongArchive, match="is a link or has a path outside of it"):
        unpack(zipped(tmp_path / "a.zip", {name: b"x"}), out, flat)
    assert not list(out.iterdir()) and not list(tmp_path.rglob("up.bmp"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        entry = tarfile.TarInfo("a.bmp")
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(WrongArchive, match="is a link"):
        unpack(tmp_path / "a.tar", tmp_path, flat)


def test_sizes_are_bounded_whatever_the_archive_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = zipped(tmp_path / "a.zip", {"a.bmp": b"a" * 60, "b.bmp": b"b" * 60})
    monkeypatch.setattr(archive, "MAX_MEMBER", 50)
    with pytest.raises(WrongArchive, match=r"a\.zip: a\.bmp: is rejected, it is larger than 50 bytes"):
        unpack(source, tmp_path, flat)
    monkeypatch.setattr(archive, "MAX_MEMBER", 100)
    monkeypatch.setattr(archive, "MAX_TOTAL", 100)
    with pytest.raises(
        WrongArchive, match=r"a\.zip: is rejected, its members have 120 bytes, but at most 100 are allowed"
    ):
        unpack(source, tmp_path, flat)


def test_a_directory_that_points_before_the_file_or_names_nothing_is_refused(tmp_path: Path) -> None:
    """Found by the fuzzer."""
    path = zipped(tmp_path / "a.zip", {"x.bmp": b"1"})
    whole = bytearray(path.read_bytes())
    start = int.from_bytes(whole[-6:-2], "little")  # of the central directory
    path.write_bytes(whole[:-6] + (start + 100).to_bytes(4, "little") + whole[-2:])
    with pytest.raises(WrongArchive, match=r"a.zip: is not a valid archive \(a member lies before its start\)"):
        unpack(path, tmp_path / "out", flat)
    path.write_bytes(whole[:start] + whole[start:].replace(b"x.bmp", b"\0.bmp"))
    with pytest.raises(WrongArchive, match=r"a.zip: is not a valid archive"):
        unpack(path, tmp_path / "out", flat)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    for name, content in (
        ("a.zip", b"PK\x03\x04 no"),
        ("a.tgz", b"\x1f\x8b\x08 no"),
        ("b.tgz", io.BytesIO().getvalue()),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WrongArchive, match="not a valid archive"):
            unpack(tmp_path / name, tmp_path, flat)
