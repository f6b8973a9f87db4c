"""One Ray for all tests of a file: a module that imports the fixture starts it once, and no search or table starts its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import ray

from srcnn.tuning.adapters.environment import temporarily

from _servers import patiently

__all__ = ["one_ray", "start_ray"]

#: So many idle processes are kept, in place of one for each core: those that measure the networks of a search then measure those
#: of the next one, and need not load torch again.
_IDLE = {"RAY_num_workers_soft_limit": "6"}


def start_ray(**options: object) -> None:
    """Start Ray on this machine, silent; where the machine is too busy for it, wait and try again."""

    def start() -> None:
        try:
            ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="ERROR", **options)
        except Exception as error:
            ray.shutdown()  # of what had started
            if "timed out during startup" in str(error):  # after the 30 seconds that Ray gives itself
                raise BlockingIOError(str(error)) from error
            raise

    patiently(start)


@pytest.fixture(scope="module", autouse=True)
def one_ray() -> Iterator[None]:
    with temporarily(_IDLE):
        start_ray(num_cpus=2)
    yield
    ray.shutdown()
