"""Passwords in addresses: taken out of an address before it is saved or shown, and masked in texts.

An address such as ``postgresql://user:secret@host/db`` is typed once. From then on the program uses ``postgresql://user@host/db``,
and this process keeps the password for it (`credentials`). The password is also overwritten in this process's command line, which
every user of the machine can read.
"""

from __future__ import annotations

import ctypes
import re
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

__all__ = ["credentials", "masked", "without_password"]

_MASK = "***"
_SHORTEST = 3  # characters; masking a shorter password would mangle all texts and still say it
_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s:/?#@]*):(?P<password>[^/?#]*)@(?P<rest>.*)", re.S
)
#: A password with a slash, which should have been written as %2F; what looks like a port is none.
_SLASHED = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s:/?#@]*):(?P<password>(?!\d+/)[^@]*[/?#].*)@(?P<rest>[^@]*)",
    re.S,
)
_IN_TEXT = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s:/?#@'\"]*):(?!\d+/)[^\s'\"]*@")
_STAT_ARGUMENTS = (
    45,
    46,
)  # fields of /proc/self/stat behind the name of the process: where the command line lies in memory

_kept: dict[str, tuple[str, str]] = {}  # user and password by address
_secrets: set[str] = set()


def without_password(address: str) -> str:
    """Return an address without its password, which is kept for `credentials` and hidden in this process's command line.

    An address of the web loses its user too, because programs take a user without a password for one with an empty one.
    """
    found = _ADDRESS.fullmatch(address) or _SLASHED.fullmatch(address)
    if found is None:
        return address
    scheme, user, password, rest = found.group("scheme", "user", "password", "rest")
    _hide(password)
    left = f"{scheme}{rest}" if scheme.startswith("http") else f"{scheme}{user}@{rest}"
    _kept[left] = (unquote(user), unquote(password))
    return left


def credentials(address: str) -> tuple[str, str] | None:
    """Return user and password that were taken out of an address by `without_password`; None: it had none."""
    return _kept.get(address)


def masked(text: str) -> str:
    """Return a text with ``***`` in place of every password in an address, and of all that `without_password` has seen."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return _IN_TEXT.sub(rf"\1:{_MASK}@", text)


def _hide(password: str) -> None:
    for form in {password, unquote(password), quote(unquote(password), safe="")}:
        if len(form) >= _SHORTEST:
            _secrets.add(form)
            sys.argv[:] = [argument.replace(form, _MASK) for argument in sys.argv]
            _overwrite_command_line(form.encode())


def _overwrite_command_line(secret: bytes) -> None:
    """Overwrite a secret in the command line of this process as other processes see it; on Linux only."""
    with suppress(OSError, ValueError, IndexError):
        shown = Path("/proc/self/cmdline").read_bytes()
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        start, end = (int(fields[place]) for place in _STAT_ARGUMENTS)
        if secret not in shown or not 0 < start < end or ctypes.string_at(start, end - start) != shown:
            return
        ctypes.memmove(start, shown.replace(secret, b"*" * len(secret)), end - start)
