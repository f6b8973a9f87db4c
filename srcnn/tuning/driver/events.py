"""`Event`, what happened to a trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from srcnn.config.training import TrainConfig

__all__ = ["Event", "Listener"]


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


Listener = Callable[[Event], None]  #: is called with every event
