"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from threading import Thread

import pytest

from srcnn.system.atomic_file import atomic_write


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


@pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices are POSIX's")
class TestWhatIsNoRegularFile:
    """Nothing but a regular file is ever renamed over."""

    def test_a_link_is_followed_and_stays(self, tmp_path: Path) -> None:
        real = tmp_path / "real"
        real.mkdir()
        (real / "file.txt").write_text("old")
        (tmp_path / "first.txt").symlink_to("second.txt")
        (tmp_path / "second.txt").symlink_to(Path("real") / "file.txt")
        with atomic_write(tmp_path / "first.txt") as temporary:
            assert temporary.parent == real  # on the file system of the file, or the rename would fail
            temporary.write_text("new")
        assert (tmp_path / "first.txt").is_symlink() and (real / "file.txt").read_text() == "new"
        assert os.listdir(real) == ["file.txt"]

    def test_a_dangling_link_makes_its_file_but_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("file")
        write(tmp_path / "link", b"x")
        assert (tmp_path / "file").read_bytes() == b"x" and (tmp_path / "link").is_symlink()
        (tmp_path / "lost").symlink_to(Path("missing") / "file")
        with pytest.raises(FileNotFoundError, match="lost"):
            write(tmp_path / "lost", b"x")
        assert not (tmp_path / "missing").exists()

    def test_a_loop_of_links_a_folder_and_a_socket_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        (tmp_path / "folder").mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(tmp_path / "socket"))
            for name, error in (("a", errno.ELOOP), ("folder", errno.EISDIR), ("socket", errno.EINVAL)):
                with pytest.raises(OSError, match=name) as raised:
                    write(tmp_path / name, b"x")
                assert raised.value.errno == error
        assert sorted(os.listdir(tmp_path)) == ["a", "b", "folder", "socket"]

    @pytest.mark.parametrize(("minor", "error"), [(3, None), (7, errno.ENOSPC)])
    def test_a_device_stays_a_device(self, tmp_path: Path, minor: int, error: int | None) -> None:
        """Nodes like /dev/null and /dev/full, made in a scratch folder."""
        node = tmp_path / "device"
        try:
            os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
            node.open("rb").close()
        except OSError:
            pytest.skip("device nodes need root and a file system that allows them")
        with nullcontext() if error is None else pytest.raises(OSError, match=os.strerror(error)):
            write(node, b"x" * 100_000)
        assert stat.S_ISCHR(node.stat().st_mode)
        assert os.listdir(tmp_path) == ["device"]

    def test_a_pipe_gets_the_whole_content_if_somebody_reads_it(self, tmp_path: Path) -> None:
        pipe, content = tmp_path / "pipe", bytes(range(256)) * 2000  # more than a pipe holds
        os.mkfifo(pipe)
        with pytest.raises(OSError, match="no process reads") as raised:
            write(pipe, content)
        assert raised.value.errno == errno.ENXIO
        number, found = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), []
        os.set_blocking(number, True)
        with open(number, "rb") as file:
            reader = Thread(target=lambda: found.append(file.read()))
            writer = Thread(target=write, args=(pipe, content))
            writer.start()
            time.sleep(0.2)  # else the reader finds the end of a pipe that nobody has opened yet
            reader.start()
            writer.join()
            reader.join()
        assert found == [content]
        assert stat.S_ISFIFO(pipe.stat().st_mode)

    def test_the_standard_output_is_written_to(self, tmp_path: Path) -> None:
        code = (
            "from pathlib import Path; import sys; from srcnn.system.atomic_file import atomic_write\n"
            "print('before', flush=True)\n"
            "with atomic_write(Path(sys.argv[1])) as file: file.write_text('content\\n')\n"
            "print('after')\n"
        )
        link = tmp_path / "link"
        link.symlink_to("/dev/stdout")
        for path in ("/dev/stdout", "/proc/self/fd/1", str(link)):
            command = [sys.executable, "-c", code, path]
            piped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert piped == "before\ncontent\nafter\n"
            with (tmp_path / "out").open("a+") as out:  # redirected: the file must not be replaced
                subprocess.run(command, stdout=out, check=True)
            assert (tmp_path / "out").read_text() == "before\ncontent\nafter\n"
            (tmp_path / "out").unlink()
        assert os.listdir(tmp_path) == ["link"]

    @pytest.mark.parametrize("path", ["/proc/new-file", "/sys/new-file", "/proc/self/new-file"])
    def test_where_nothing_can_be_made_it_is_an_error(self, path: str) -> None:
        if not Path(path).parent.is_dir():
            pytest.skip(f"{path}: no such folder on this system")
        with pytest.raises(OSError, match="new-file"):
            write(Path(path), b"x")


def write(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
