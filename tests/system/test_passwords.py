"""Passwords in addresses: taken out, masked, and overwritten in the command line of a real process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from srcnn.system.passwords import credentials, masked, without_password


@pytest.mark.parametrize(
    ("address", "left", "user", "password"),
    [
        ("http://ann:s3cret1@host:5000", "http://host:5000", "ann", "s3cret1"),
        ("https://ann:s3cret2@host/path", "https://host/path", "ann", "s3cret2"),
        ("https://ann:p%40ss%2Fw0rd@host", "https://host", "ann", "p@ss/w0rd"),
        ("postgresql://ann:s3cret3@host/db", "postgresql://ann@host/db", "ann", "s3cret3"),
        ("postgresql+psycopg://ann:s3:cr@t4@host/db", "postgresql+psycopg://ann@host/db", "ann", "s3:cr@t4"),
        ("mysql+pymysql://ann:a/slash5@host/db", "mysql+pymysql://ann@host/db", "ann", "a/slash5"),
        ("mysql://:s3cret6@host/db", "mysql://@host/db", "", "s3cret6"),
        ("http://ann:s3cret7@[::1]:5000/", "http://[::1]:5000/", "ann", "s3cret7"),
    ],
)
def test_the_password_is_kept_and_no_longer_in_the_address(address: str, left: str, user: str, password: str) -> None:
    assert without_password(address) == left
    assert without_password(left) == left
    assert credentials(left) == (user, password)
    assert password not in masked(f"cannot open {password} at {address}")


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:///mlruns/mlflow.db",
        "http://another-host:5000",
        "http://another-host:5000/models@champion",
        "http://ann@host",
        "postgresql://ann@host:5432/db",
        "models:/srcnn-x3@champion",
        "",
        "://:@",
        "nonsense",
    ],
)
def test_an_address_without_a_password_stays(address: str) -> None:
    assert without_password(address) == address
    assert credentials(address) is None
    assert masked(f"a {address} b") == f"a {address} b"


def test_texts_with_addresses_that_nobody_has_announced_are_masked() -> None:
    assert masked("at http://u:pw@h:1/x, and mysql://u:p@q@h") == "at http://u:***@h:1/x, and mysql://u:***@h"


SHOW = """
import subprocess, sys
from srcnn.system.passwords import without_password
without_password(sys.argv[2])
print(sys.argv[1:])
print(open("/proc/self/cmdline").read().split("\\0")[3:])
print(subprocess.run([sys.executable, "-c", "print(open('/proc/%d/cmdline')"
      ".read())" % __import__("os").getpid()], capture_output=True, text=True).stdout)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the command line can be overwritten on Linux only")
def test_other_processes_do_not_see_it_in_the_command_line() -> None:
    argv = [
        "--tracking-uri",
        "http://ann:v3rys3cret@127.0.0.1:1",
        "--tracking-uri=http://ann:v3rys3cret@h",
        "v3rys3cret",
    ]
    done = subprocess.run([sys.executable, "-c", SHOW, *argv], capture_output=True, text=True, check=True)
    assert "v3rys3cret" not in done.stdout
    assert "['--tracking-uri', 'http://ann:***@127.0.0.1:1'" in done.stdout
    assert "ann:**********@127.0.0.1:1" in done.stdout
