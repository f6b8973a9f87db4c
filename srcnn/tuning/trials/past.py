"""`PastTrial`: a trial of an earlier search in the terms of a new one, and the text in which a search keeps them.

A search reads past trials once, when it first starts, and keeps them with its own state. A resumed search reads that
text and not the store again: other searches may have ended since, and a search must not change what it learns from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from srcnn.errors import SearchError
from srcnn.system.bounded_read import parse_json

if TYPE_CHECKING:  # numpy takes a moment to import, and ``--help`` needs none of it
    from srcnn.tuning.space.parameter import Value

__all__ = ["ALL", "PastTrial", "past_from", "past_json"]

ALL = "all"  #: stands for the names of all ended searches


@dataclass(frozen=True)
class PastTrial:
    """One trial of an earlier search, translated to the parameters of the present space."""

    params: Mapping[str, Value]  #: a value for every parameter of the present space that exists for this trial
    scale: int  #: upscaling factor
    curve: tuple[float, ...]  #: objective after each reported epoch, from the first; empty if it failed before one
    epochs: int  #: number of reports of a full trial of that search
    pixels: float  #: budget of a full trial of that search, in target pixels
    seconds: float | None  #: training time of the reported epochs without validation, in seconds; None: not recorded
    failed: bool  #: whether the training itself failed, for example because the loss became infinite
    source: str  #: name of the search


def past_json(trials: Sequence[PastTrial]) -> str:
    """Return the text for `past_from`."""
    return json.dumps({"trials": [asdict(trial) for trial in trials]}, indent=1) + "\n"


def past_from(text: str, place: str) -> tuple[PastTrial, ...]:
    """Return the trials in a text of `past_json`.

    Args:
        text: the text.
        place: where the text comes from, for the message of an error.

    Raises:
        SearchError: the text is damaged.
    """
    try:
        return tuple(
            PastTrial(
                dict(row["params"]),
                int(row["scale"]),
                tuple(map(float, row["curve"])),
                int(row["epochs"]),
                float(row["pixels"]),
                None if row["seconds"] is None else float(row["seconds"]),
                bool(row["failed"]),
                str(row["source"]),
            )
            for row in parse_json(text)["trials"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SearchError(
            f"learn_from: {place} must hold the past trials of the search, but it is damaged ({type(error).__name__}: "
            f"{error})"
        ) from None
