"""Where the checkout lies, for tests that read its files or run its commands."""

from pathlib import Path

__all__ = ["EXPERIMENTS", "ROOT", "SPACES"]

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ROOT / "experiments"
SPACES = ROOT / "search_spaces"
