"""Downloading against a real HTTP server on this machine: resuming, refusing, and leaving nothing half-made."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import re
import stat
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from srcnn.data import archive, fetch
from srcnn.data.datasets import verify
from srcnn.errors import DataError

from checkout import EXPERIMENTS
from mirror import GOOD, Server, nothing_half_made, picture, tarred, zipped

COMMAND = EXPERIMENTS / "data.py"


def test_a_zip_is_downloaded_unpacked_and_verified(server: Server, root: Path) -> None:
    server.files["SRCNN_train.zip"] = zipped(GOOD)
    steps: list[tuple[int, int | None]] = []
    line = fetch.fetch("T91", root, base_url=server.url, progress=lambda done, total: steps.append((done, total)))
    assert line == f"T91: now in {root / 'T91'}, verified"
    assert sorted(p.name for p in (root / "T91").iterdir()) == ["t1.bmp", "t2.bmp"]
    assert steps[0] == (0, len(server.files["SRCNN_train.zip"]))
    assert steps[-1] == (steps[0][1], steps[0][1])
    assert {p.name for p in root.iterdir()} == {"T91", ".downloads"}
    assert [p.name for p in (root / ".downloads").iterdir()] == ["SRCNN_train.zip"]


def test_a_tgz_is_matched_by_its_inner_folders(server: Server, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRCNN_MIRROR", server.url + "/")
    server.files["BSDS300-images.tgz"] = tarred(
        {
            "BSDS300/images/test/1.png": picture(1, "PNG"),
            "BSDS300/images/test/2.png": picture(2, "PNG"),
            "BSDS300/images/test/._2.png": b"left by another system",
            "BSDS300/images/train/3.png": picture(3, "PNG"),
            "BSDS300/human/test/4.png": picture(4, "PNG"),
        }
    )
    fetch.fetch("BSDS300/test", root)
    assert sorted(p.name for p in (root / "BSDS300" / "test").iterdir()) == ["1.png", "2.png"]
    assert not (root / "BSDS300" / "train").exists()


def test_a_set_that_is_there_is_not_fetched_again(server: Server, root: Path) -> None:
    server.files["SRCNN_train.zip"] = zipped(GOOD)
    fetch.fetch("T91", root, base_url=server.url)
    assert fetch.fetch("T91", root, base_url=server.url) == f"T91: already in {root / 'T91'}, verified"
    assert len(server.ranges) == 1


def test_an_archive_that_is_there_is_used(server: Server, root: Path) -> None:
    (root / ".downloads").mkdir(parents=True)
    (root / ".downloads" / "SRCNN_train.zip").write_bytes(zipped(GOOD))
    fetch.fetch("T91", root, base_url=server.url)
    assert server.ranges == []


def test_what_else_lies_at_the_destination_is_left_alone(server: Server, root: Path) -> None:
    (root / "T91").mkdir(parents=True)
    (root / "T91" / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match=r"has other contents .*move the folder away"):
        fetch.fetch("T91", root, base_url=server.url)
    assert (root / "T91" / "mine.txt").read_text() == "precious"
    assert server.ranges == []


def test_an_empty_folder_is_filled(server: Server, root: Path) -> None:
    (root / "T91").mkdir(parents=True)
    server.files["SRCNN_train.zip"] = zipped(GOOD)
    fetch.fetch("T91", root, base_url=server.url)
    assert verify("T91", root) == []


WRONG = {
    "a page instead of an archive": b"<html>404</html>",
    "a truncated archive": zipped(GOOD)[:-30],
    "another image": zipped({**GOOD, "Train/t2.bmp": picture(9)}),
    "an image too few": zipped({"Train/t1.bmp": picture(1)}),
    "no such folder": zipped({"Elsewhere/t1.bmp": picture(1)}),
    "a broken image": zipped({**GOOD, "Train/t2.bmp": picture(2)[:100]}),
    "a way up": zipped({**GOOD, "../Train/t3.bmp": picture(3)}),
    "an absolute path": zipped({**GOOD, "/Train/t3.bmp": picture(3)}),
    "a way up in Windows": zipped({**GOOD, "..\\Train\\t3.bmp": picture(3)}),
    "a drive": zipped({**GOOD, "Train/C:t3.bmp": picture(3)}),
}


@pytest.mark.parametrize("archive", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_archive_is_refused_and_deleted(server: Server, root: Path, archive: bytes) -> None:
    server.files["SRCNN_train.zip"] = archive
    with pytest.raises(DataError, match=r"^SRCNN_train\.zip: is .*deleted") as caught:
        fetch.fetch("T91", root, base_url=server.url)
    assert "\n" not in str(caught.value)
    assert list((root / ".downloads").iterdir()) == []
    nothing_half_made(root)
    assert not (root.parent / "Train").exists()


def test_damage_inside_a_zip_is_noticed(server: Server, root: Path) -> None:
    data = bytearray(zipped(GOOD))
    data[200] ^= 0xFF
    server.files["SRCNN_train.zip"] = bytes(data)
    with pytest.raises(DataError, match="not a valid archive"):
        fetch.fetch("T91", root, base_url=server.url)
    nothing_half_made(root)


def test_links_are_refused(server: Server, root: Path) -> None:
    members = {f"images/test/{i}.png": picture(i, "PNG") for i in (1, 2)}
    server.files["BSDS300-images.tgz"] = tarred(members, link="images/test/3.png")
    with pytest.raises(DataError, match=r"rejected.*is a link"):
        fetch.fetch("BSDS300/test", root, base_url=server.url)
    buffer = io.BytesIO(zipped(GOOD))
    with zipfile.ZipFile(buffer, "a") as pack:
        info = zipfile.ZipInfo("Train/t3.bmp")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        pack.writestr(info, "/etc/hostname")
    server.files["SRCNN_train.zip"] = buffer.getvalue()
    with pytest.raises(DataError, match=r"rejected.*is a link"):
        fetch.fetch("T91", root, base_url=server.url)
    nothing_half_made(root)


def test_a_truncated_tgz_is_refused(server: Server, root: Path) -> None:
    members = {f"images/test/{i}.png": picture(i, "PNG") for i in (1, 2)}
    server.files["BSDS300-images.tgz"] = tarred(members)[:-200]
    with pytest.raises(DataError, match="deleted"):
        fetch.fetch("BSDS300/test", root, base_url=server.url)
    nothing_half_made(root)


@pytest.mark.parametrize("limit", ["MAX_MEMBER", "MAX_TOTAL"])
def test_members_are_bounded(server: Server, root: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(archive, limit, 600 if limit == "MAX_TOTAL" else 100)
    server.files["SRCNN_train.zip"] = zipped(GOOD)
    with pytest.raises(DataError, match="is rejected, it"):
        fetch.fetch("T91", root, base_url=server.url)
    nothing_half_made(root)


def test_the_authors_weights(server: Server, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"9-5-5(ImageNet)/x3.mat": b"one", "9-1-5(91 images)/x2.mat": b"two"}
    digests = {name: hashlib.sha256(data).hexdigest()[:16] for name, data in files.items()}
    monkeypatch.setattr(fetch, "WEIGHTS", digests)
    members = {f"SRCNN/model/{name}": data for name, data in files.items()}
    server.files["SRCNN_v1.zip"] = zipped(
        {**members, "SRCNN/model/other/x9.mat": b"no", "SRCNN/Set5/a.bmp": picture(1)}
    )
    fetch.fetch("weights", root, base_url=server.url)
    folder = root / "weights" / "srcnn-official"
    assert {str(p.relative_to(folder)) for p in folder.rglob("*.mat")} == set(files)
    assert fetch.problems("weights", root) == []
    (folder / "9-5-5(ImageNet)" / "x3.mat").write_bytes(b"changed")
    assert "must begin with" in fetch.problems("weights", root)[0]


def test_bundled_and_unknown_names(root: Path) -> None:
    assert "nothing to fetch" in fetch.fetch("sample/train", root)
    with pytest.raises(DataError, match="did you mean 'weights'"):
        fetch.fetch("weight", root)


@pytest.fixture
def command() -> ModuleType:
    spec = importlib.util.spec_from_file_location("experiments_data", COMMAND)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_fetches_lists_and_verifies(
    command: ModuleType, server: Server, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["SRCNN_train.zip"] = zipped(GOOD)
    at = ["--data-root", str(root)]
    assert command.main(["fetch", "T91", "--mirror", server.url, *at]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^T91: 100 % of", out, re.M)
    assert out.endswith(f"T91: now in {root / 'T91'}, verified\n")
    assert command.main(["verify", *at]) == 0
    assert "T91: verified\nBSDS300/train: absent\n" in capsys.readouterr().out
    assert command.main(["verify", "Set5", *at]) == 1
    assert capsys.readouterr().out == "Set5: absent\n"
    (root / "T91" / "t1.bmp").unlink()
    assert command.main(["verify", *at]) == 1
    assert "T91: must have 2 images, but has 1\n" in capsys.readouterr().out
    assert command.main(["list", *at]) == 0
    out = capsys.readouterr().out
    assert re.search(r"T91 .*2 .*wrong", out)
    assert re.search(r"Set5 .*5 .*absent", out)
    assert "T91: must have 2 images, but has 1\n" in out


def test_the_command_prints_errors_on_one_line(
    command: ModuleType, server: Server, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["fetch", "T91", "--mirror", server.url], ["fetch", "T91", "Set9"], ["verify", "Set9"]):
        assert command.main([*arguments, "--data-root", str(root)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(r"error: [^\n]+\n", err)


def test_control_c_is_no_traceback(
    command: ModuleType, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "fetch", interrupted)
    assert command.main(["fetch", "T91", "--data-root", str(root)]) == 130
    assert "run the command again" in capsys.readouterr().err
