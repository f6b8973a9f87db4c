"""Fixtures of curve_tables for this package."""

from curve_tables import space

__all__ = ["space"]
