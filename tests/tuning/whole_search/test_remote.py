"""A search as a task on a cluster: its events and its result come back, its errors in one line, an interrupt goes there.

The cluster is a Ray of this machine in place of one behind ray://; everything else is real.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import pytest
import ray

from srcnn.errors import SearchError
from srcnn.tuning.driver.events import Event
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.whole_search import remote
from srcnn.tuning.whole_search.remote import run_anywhere

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not find the tests' modules


@pytest.fixture(scope="module", autouse=True)
def one_ray() -> Iterator[None]:
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


class There:
    """In place of the connection to a cluster: Ray runs already."""

    asked: ClassVar[list[str | None]] = []

    def __init__(self, address: str | None) -> None:
        self.asked.append(address)

    def __enter__(self) -> There:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        pass

    def wait(self) -> None:
        pass


@pytest.fixture
def plan(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setattr(remote, "Cluster", There)
    return plan_search(settings(workplace))


def settings(folder: Path, **fields: Any) -> SearchSettings:
    given = {"name": "far", "space": "space.yaml", "train": "train", "test": ("test",), "validation": 2, "trials": 2}
    given |= {"budget": 9e4, "confirm": False, "gpus_per_trial": 0, "scheduler": "none", "address": "ray://there:10001"}
    given |= {"storage": str(folder / "state"), "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}"}
    return SearchSettings(**{**given, **fields})


@pytest.mark.slow
def test_a_search_runs_there_and_tells_here(plan: Plan) -> None:
    heard: list[Event] = []
    result = run_anywhere(plan, listener=heard.append)
    assert There.asked[-1] == "ray://there:10001"
    assert result.count(Outcome.FINISHED) == 2
    assert not result.interrupted
    ends = {event.trial_id: event.outcome for event in heard if event.kind == "end"}
    assert ends == {row.trial_id: row.outcome for row in result.rows}
    for row in result.rows:
        epochs = [event.report.epoch for event in heard if event.report is not None and event.trial_id == row.trial_id]
        assert epochs == [*range(1, 10), 9]  # every report in order, and the last one with the end

    with pytest.raises(SearchError, match="far exists"):  # what is refused there is refused here in the same words
        run_anywhere(plan)


@ray.remote(num_cpus=0)  # type: ignore[untyped-decorator]
def raises(error: Exception) -> None:
    raise error


def test_errors_of_the_search_come_as_they_are() -> None:
    with pytest.raises(SearchError, match=r"^storage: /srv cannot be written$") as caught:
        remote._result(raises.remote(SearchError("storage: /srv cannot be written")))
    assert caught.value.__cause__ is None


def test_an_error_of_the_program_is_shown_and_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SearchError, match="address: ") as caught:
        remote._result(raises.remote(KeyError("n1")))
    assert "\n" not in str(caught.value)
    assert "KeyError" in capsys.readouterr().err


def test_a_result_comes_through() -> None:
    result: object = remote._result(ray.put("a result"))
    assert result == "a result"
