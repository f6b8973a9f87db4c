"""How the command lines of Ray's processes begin; apart from `ray_internals`, since who looks at processes need not import Ray.

Ray documents the form ``ray::NAME`` of its workers' titles, but not the names. Checked with Ray 2.60 by
``tests/tuning/adapters/test_ray_titles.py``. Search words: "ray proctitle ImplicitFunc IDLE".
"""

from __future__ import annotations

__all__ = ["IDLE_TITLE", "TRIAL_TITLE", "task_title"]

TRIAL_TITLE = "ray::ImplicitFunc"  #: a worker that serves trials: Tune calls the class that it makes of a function so
IDLE_TITLE = "ray::IDLE"  #: a worker that waits


def task_title(function: str) -> str:
    """The title of a worker that runs a task, by the name of its function."""
    return f"ray::{function}"
