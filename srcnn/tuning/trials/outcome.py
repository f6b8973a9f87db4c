"""Outcomes of a trial."""

from __future__ import annotations

import enum

__all__ = ["Outcome"]


class Outcome(enum.StrEnum):
    """Outcome of a trial, in the order used in tables. The values are used in MLflow's tags, CSV files and messages."""

    FINISHED = "finished"  #: reached the last epoch
    STOPPED = "stopped"  #: stopped early by the scheduler
    WAITING = "waiting"  #: paused after an epoch; it may be resumed, and is closed as stopped at the end of the search
    FAILED = "failed"  #: training failed or diverged, or the maximum number of retries after faults was reached
    INTERRUPTED = "interrupted"  #: the search ended before the trial; resuming the search continues it
