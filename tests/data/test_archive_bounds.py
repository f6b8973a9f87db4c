"""Archives that claim or become too much are refused before that costs memory or time."""

from __future__ import annotations

import bz2
import gzip
import io
import resource
import struct
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from srcnn.data import archive_bounds
from srcnn.data.archive import WrongArchive, unpack


def everything(member: PurePosixPath) -> str | None:
    return member.name


def refused(archive: Path, says: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = archive.parent / "out"
    out.mkdir(exist_ok=True)
    with pytest.raises(WrongArchive, match=says) as caught:
        unpack(archive, out, everything)
    assert "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KiB


def test_a_zip_of_many_members_is_refused_by_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_bounds, "MAX_MEMBERS", 100)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        for number in range(101):
            pack.writestr(f"{number}.bmp", b"")
    refused(tmp_path / "a.zip", r"a\.zip: is rejected, it must have at most 100 members, but has 101 in \d+ bytes")


def test_a_directory_that_is_larger_than_its_count_says_is_refused(tmp_path: Path) -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 300 << 20, 0, 0)
    with (tmp_path / "a.zip").open("wb") as file:
        file.truncate(300 << 20)
        file.seek(0, 2)
        file.write(end)
    refused(tmp_path / "a.zip", "at most 20000 members, but has 1 in 314572800 bytes")


def test_a_zip_that_inflates_is_refused_before_it_is_extracted(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("a.bmp", bytes(20 << 20))
    refused(tmp_path / "a.zip", r"is rejected, 'a\.bmp' inflates from \d+ to 20971520 bytes")
    assert list((tmp_path / "out").iterdir()) == []


def test_unusual_compression_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as pack:
        pack.writestr("a.bmp", b"x")
    refused(tmp_path / "a.zip", "must be stored or deflated, but has the method 14")
    (tmp_path / "a.tbz").write_bytes(bz2.compress(bytes(20_000)))
    refused(tmp_path / "a.tbz", "is not a valid archive")


def test_a_zip64_or_no_directory_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr("a.bmp", b"x")
    whole = (tmp_path / "a.zip").read_bytes()
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    (tmp_path / "b.zip").write_bytes(whole[:-22] + locator + whole[-22:])
    refused(tmp_path / "b.zip", "format for archives above 4 GB")
    for content in (b"", b"PK", b"\0" * 1000, whole[:-10]):
        (tmp_path / "c.zip").write_bytes(content)
        refused(tmp_path / "c.zip", "is not a valid archive")


def test_a_comment_does_not_hide_the_directory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr("a.bmp", b"x")
        pack.comment = b"a comment"
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "a.zip", tmp_path / "out", everything)
    assert (tmp_path / "out" / "a.bmp").read_bytes() == b"x"


def tar_of(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info, data in entries:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    path.write_bytes(gzip.compress(buffer.getvalue()))
    return path


def test_a_tar_that_inflates_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_bounds, "MAX_INFLATED", 1 << 20)
    tar_of(tmp_path / "a.tgz", (tarfile.TarInfo("a.bmp"), bytes(2 << 20)))
    refused(tmp_path / "a.tgz", "is rejected, it must have at most 1048576 bytes without its compression, but has more")


def test_a_tar_of_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_bounds, "MAX_MEMBERS", 10)
    tar_of(tmp_path / "a.tgz", *((tarfile.TarInfo(f"{number}.bmp"), b"") for number in range(11)))
    refused(tmp_path / "a.tgz", "at most 10 members, but has more")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_a_tar_header_that_claims_gigabytes_is_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, 3 << 30
    (tmp_path / "a.tgz").write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)))
    refused(tmp_path / "a.tgz", r"is rejected, (a header of it claims \d+ bytes|it must have at most)")


def test_a_tar_member_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.bmp")
    info.size = 1 << 20
    for size in (1 << 20, 7 << 30):
        info.size = size
        (tmp_path / "a.tgz").write_bytes(gzip.compress(info.tobuf() + b"few"))
        refused(tmp_path / "a.tgz", "is rejected|is not a valid archive")
