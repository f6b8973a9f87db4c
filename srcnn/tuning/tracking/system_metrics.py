"""Use of the machine (processor, memory, disk, network, GPUs) as metrics of a run, by MLflow's own monitor.

The monitor is a thread of the driver and sees the whole machine on which the driver runs. It writes to the store itself: such
figures are no part of a search's state, so they need no journal, and a store that is away loses some of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from srcnn.tuning.tracking.store_address import connectable, first_line

__all__ = ["system_metrics"]

_EVERY = 10.0  # seconds between two samples
_SAMPLES = 3  # whose mean is one value
_log = logging.getLogger(__name__)


@contextmanager
def system_metrics(uri: str, run_id: str, *, wanted: bool) -> Iterator[None]:
    """Log the use of this machine to a run while the block runs, one value every half minute.

    Args:
        uri: address of the store.
        run_id: id of the run.
        wanted: whether to do so; False: nothing happens.
    """
    if not wanted:
        yield
        return
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor  # it imports psutil

    monitor = SystemMetricsMonitor(
        run_id,
        sampling_interval=_EVERY,
        samples_before_logging=_SAMPLES,
        resume_logging=True,
        tracking_uri=connectable(uri),
    )
    monitor.start()
    try:
        yield
    finally:
        try:
            monitor.finish()
        except Exception as error:  # a monitor must not end a search
            _log.warning("the use of the machine is not logged completely: %s", first_line(error))
