"""Searches on a cluster of which this machine is not a node: ``--address ray://HOST:PORT``.

Tune's event loop, the searcher and the tracker must be in one process on the cluster. So the whole search runs there, as a task
on the head node that reserves no core, and its events are returned through a queue. The cluster must have the same version of
this package. Both sides must reach the folder of ``--storage`` and the store of ``--tracking-uri`` by the same name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayTaskError, TaskCancelledError
from ray.util.queue import Queue

from srcnn.errors import SearchError
from srcnn.tuning.adapters.environment import configure
from srcnn.tuning.adapters.ray_internals import HEAD_NODE
from srcnn.tuning.driver.cluster import Cluster, be_quiet
from srcnn.tuning.driver.events import Listener
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.whole_search.result import SearchResult
from srcnn.tuning.whole_search.run import run_search

__all__ = ["run_anywhere"]

_HEAD = {HEAD_NODE: 1e-3}


def run_anywhere(
    plan: Plan,
    *,
    resume: bool = False,
    listener: Listener | None = None,
    acknowledge: Callable[[], None] | None = None,
    trust: bool = False,
) -> SearchResult:
    """Call `srcnn.tuning.whole_search.run.run_search` on this machine or, if the address begins with ray://, on that cluster.

    Args:
        plan, resume, listener, acknowledge, trust: as for `run_search`.

    Raises:
        SearchError: as in `run_search`, or the cluster cannot be reached.
    """
    if not plan.settings.is_remote:
        return run_search(plan, resume=resume, listener=listener, acknowledge=acknowledge, trust=trust)
    configure()
    be_quiet()
    there = replace(plan, settings=plan.settings.replace(address=None))
    with Cluster(plan.settings.address) as cluster:
        cluster.wait()
        events = Queue()
        task = ray.remote(num_cpus=0, max_retries=0, resources=_HEAD)(_search).remote(there, resume, events, trust)
        asked = False
        while True:
            try:
                done, _ = ray.wait([task], timeout=0.3)
                for event in events.get_nowait_batch(events.qsize()):
                    if listener is not None:
                        listener(event)
                if done:
                    return _result(task)
            except KeyboardInterrupt:
                if asked:
                    raise
                asked = True
                if acknowledge is not None:
                    acknowledge()
                ray.cancel(task, force=False)  # raises KeyboardInterrupt in the task, which ends the search gracefully


def _search(plan: Plan, resume: bool, events: Queue, trust: bool) -> SearchResult:
    """Run the search in a task on the cluster."""
    return run_search(plan, resume=resume, listener=events.put, trust=trust)


def _result(task: Any) -> SearchResult:
    try:
        result: SearchResult = ray.get(task)
        return result
    except TaskCancelledError:
        raise KeyboardInterrupt from None
    except RayTaskError as error:
        if isinstance(error.cause, SearchError):
            raise error.cause from None
        print(error, file=sys.stderr)
        raise SearchError("address: the search on the cluster ended with an unexpected error, shown above") from None
