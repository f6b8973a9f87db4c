"""Servers on this machine that answer as no server should; each connection gets one behaviour, on a port of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["dripping", "hostile", "saying", "silent"]

#: What a server does with a connection, until the event says that the test is over.
Behaviour = Callable[[socket.socket, threading.Event], None]


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Accept and say nothing."""
    over.wait()


def saying(*parts: bytes) -> Behaviour:
    """Read the request, send these bytes, and hang up."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        for part in parts:
            connection.sendall(part)

    return behave


def dripping(head: bytes, drop: bytes, pause: float = 0.02) -> Behaviour:
    """Read the request, send the head at once and then drops for ever."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while not over.wait(pause):
            connection.sendall(drop)

    return behave


@contextmanager
def hostile(behaviour: Behaviour) -> Iterator[str]:
    """Serve one behaviour and yield the address of the server."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            behaviour(connection, over)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
