"""Titles of Ray's processes in process lists; a separate module, so that code that looks for processes need not import Ray.

Ray documents the form ``ray::NAME`` of its workers' titles, but not the names. Checked with Ray 2.60 by
``tests/tuning/adapters/test_ray_titles.py``. Search words: "ray proctitle ImplicitFunc IDLE".
"""

from __future__ import annotations

__all__ = ["IDLE_TITLE", "TRIAL_TITLE", "task_title"]

#: Worker that runs trials: name of the class that Tune creates for a trainable function.
TRIAL_TITLE = "ray::ImplicitFunc"
IDLE_TITLE = "ray::IDLE"  #: idle worker


def task_title(function: str) -> str:
    """Return the title of a worker that runs a task, from the name of its function."""
    return f"ray::{function}"
