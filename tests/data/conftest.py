"""The server and the registry of tiny sets, for tests of downloads."""

from mirror import root, server, small

__all__ = ["root", "server", "small"]
