"""`Event`, what happened to a trial, and who listens to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from srcnn.config.training import TrainConfig

__all__ = ["Event", "listening", "tell"]


@dataclass(frozen=True)
class Event:
    """Something that happened to a trial."""

    kind: str  #: ``start``, ``report``, ``fault`` (Tune begins the trial again) or ``end`` (which no kill takes back)
    trial_id: str
    name: str
    config: TrainConfig
    result: dict[str, Any]  #: its last report; empty at the start
    outcome: str  #: ``running``, ``finished``, ``stopped`` or ``failed``
    stage: str  #: ``search``, ``confirm``, ``judge`` or ``table``
    trials: int  #: that the stage will have at most


Listener = Callable[[Event], None]
_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Call ``listener`` with every event while the block runs; None listens to nothing."""
    mine = [] if listener is None else [listener]
    _listeners.extend(mine)
    try:
        yield
    finally:
        for one in mine:
            _listeners.remove(one)


def tell(event: Event) -> None:
    for listener in list(_listeners):
        listener(event)
