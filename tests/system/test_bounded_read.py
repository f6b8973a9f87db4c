"""Files that end, that do not nest without end, and that do not inflate without end; all others are refused."""

from __future__ import annotations

import gzip
import json
import os
import socket
import zlib
from pathlib import Path

import pytest

from srcnn.system.bounded_read import (
    DEPTH,
    decoded,
    in_units,
    inflate,
    open_regular,
    parse_json,
    read_bytes,
    read_gzip,
    read_text,
)


def _refusal(path: Path, limit: int = 100) -> str:
    with pytest.raises(OSError, match="must ") as caught:
        read_bytes(path, limit)
    assert caught.value.filename == str(path)
    return str(caught.value.strerror)


def test_a_file_up_to_the_limit_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * 100)
    assert read_bytes(file, 100) == b"x" * 100
    (tmp_path / "link").symlink_to(file)
    assert read_bytes(tmp_path / "link", 100) == b"x" * 100
    with open_regular(file, 100) as opened:
        assert opened.read(3) == b"xxx"


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # the address of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert _refusal(tmp_path / "socket") == "must be a regular file, but is a socket"
    assert _refusal(tmp_path / "pipe") == "must be a regular file, but is a pipe"
    assert _refusal(tmp_path) == "must be a regular file, but is a folder"
    assert _refusal(Path("/dev/zero")) == "must be a regular file, but is a device"
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none", 100)


def test_a_file_of_gigabytes_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(5 << 30)
    assert _refusal(tmp_path / "large", 1 << 20) == "must have at most 1 MiB, but has 5 GiB"


def test_a_file_that_states_no_size_is_read_up_to_the_limit() -> None:
    assert _refusal(Path("/proc/self/status"), 10) == "must have at most 10 bytes, but has more"


def test_text_is_utf8(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Größe", encoding="utf-8")
    assert read_text(tmp_path / "a") == "Größe"
    (tmp_path / "a").write_bytes("Größe".encode("utf-16"))
    with pytest.raises(OSError, match="is not a text file in UTF-8, see byte 0"):
        read_text(tmp_path / "a")
    assert decoded(b"abc", tmp_path) == "abc"


def test_gzip_is_inflated_up_to_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(gzip.compress(b"a" * 500) + gzip.compress(b"b" * 500))  # two members, as of `cat a.gz b.gz`
    assert read_gzip(file, 1000, 1000) == "a" * 500 + "b" * 500
    with pytest.raises(OSError, match="must inflate to at most 999 bytes, but inflates to more"):
        read_gzip(file, 1000, 999)
    file.write_bytes(gzip.compress(bytes(300 << 20), 1))
    with pytest.raises(OSError, match="must inflate to at most 1 MiB"):
        read_gzip(file, 2 << 20, 1 << 20)


@pytest.mark.parametrize(
    "harm", [lambda d: d[:-4], lambda d: d[:30] + b"!!!!" + d[34:], lambda d: b"", lambda d: b"PK" + d]
)
def test_damaged_gzip(tmp_path: Path, harm: object) -> None:
    file = tmp_path / "a.gz"
    assert callable(harm)
    file.write_bytes(harm(gzip.compress(json.dumps(list(range(500))).encode())))
    with pytest.raises(OSError, match="is damaged or not gzip"):
        read_gzip(file, 10_000, 10_000)


def test_one_stream_is_inflated() -> None:
    packed = zlib.compress(b"abc" * 100)
    assert inflate(packed + b"rest", 300) == (b"abc" * 100, b"rest")
    with pytest.raises(OverflowError, match="inflates to more than 299 bytes"):
        inflate(packed, 299)
    with pytest.raises(EOFError):
        inflate(packed[:-6], 300)
    with pytest.raises(zlib.error):
        inflate(b"abcdef", 300)


def test_json() -> None:
    given = {"a": [1, {"b": None}], "c": '[[[[{"'}
    assert parse_json(json.dumps(given)) == given
    assert parse_json("[" * DEPTH + "]" * DEPTH)
    assert parse_json(json.dumps("[" * 10_000)) == "[" * 10_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 33 + "]" * 33, "must nest at most 32 deep, but nests deeper at character 32"),
        ("[" * 100_000, "must nest at most 32 deep"),
        ('{"a":' * 100_000, "must nest at most 32 deep"),
        ('"\\' + "[" * 100_000, "Invalid"),
        ('"' + '\\"' * 1_000_000 + "[" * 100, "Unterminated"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' appears twice"),
        ("{", "Expecting"),
        ("9" * 5000, "Exceeds the limit"),
    ],
)
def test_wrong_json(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_json(text)


def test_sizes_in_words() -> None:
    assert [in_units(n) for n in (5, 2048, 3 << 20, 3 << 29)] == ["5 bytes", "2 KiB", "3 MiB", "1.5 GiB"]
