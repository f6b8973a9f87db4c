"""Fixtures of report_store for this package."""

from report_store import store, whole

__all__ = ["store", "whole"]
