"""How a trial ended: `Outcome`, the only four ways there are."""

from __future__ import annotations

import enum

__all__ = ["Outcome"]


class Outcome(enum.StrEnum):
    """How a trial ended, in the order of tables. The values are the words in MLflow's tags, CSV files and messages."""

    FINISHED = "finished"  #: it reached its last epoch
    STOPPED = "stopped"  #: the scheduler stopped it before (early stopping)
    FAILED = "failed"  #: its configuration diverged or died, or its process failed more often than it may
    INTERRUPTED = "interrupted"  #: the search ended first; resuming the search goes on with it
