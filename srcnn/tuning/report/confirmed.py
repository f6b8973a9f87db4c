"""What a search confirmed, out of its confirmed.csv: the configurations with the figures of their seeds."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from srcnn.tuning.report.gather import SearchData

__all__ = ["Confirmed", "confirmed_at", "number"]

_SEED = re.compile(r" seed \d+$")


class Confirmed:
    """A configuration of confirmed.csv with its seeds: gains and PSNRs in dB, one of each for a seed."""

    def __init__(self, data: SearchData, rows: Sequence[Mapping[str, str]], champion: bool) -> None:
        self.rows = rows
        self.name = _SEED.sub("", rows[0].get("configuration", "?"))
        self.reference = rows[0].get("reference") == "True"
        self.gains = np.array([number(row.get("val_gain")) for row in rows])
        self.psnr = {n: np.array([number(row.get(f"{n}_psnr")) for row in rows]) for n in data.test_sets}
        low, high = (rows[0].get(f"val_gain_{end}") for end in ("low", "high"))
        at = f"champion/x{rows[0].get('scale', '')}/val_gain"
        if low is None and champion and f"{at}_low" in data.metrics:  # of a search before the file had them
            self.low: float | None = data.metrics[f"{at}_low"]
            self.high: float | None = data.metrics[f"{at}_high"]
        else:
            self.low = None if low is None else number(low)
            self.high = None if high is None else number(high)
        runs = [data.by_trial.get(row.get("trial", "")) for row in rows]
        self.links = [data.link(run.run_id) if run is not None else None for run in runs]

    @property
    def link(self) -> str | None:
        """To its best seed."""
        return self.links[int(self.gains.argmax())]


def number(text: str | None) -> float:
    """A figure out of a text; NaN where it is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def confirmed_at(data: SearchData, scale: int) -> list[Confirmed]:
    """The configurations of a scale in the order that the search chose, the champion first."""
    places: dict[int, list[Mapping[str, str]]] = defaultdict(list)
    for row in data.confirmed:
        if row.get("scale") == str(scale) and row.get("place", "").isdigit():
            places[int(row["place"])].append(row)
    return [Confirmed(data, rows, place == 1) for place, rows in sorted(places.items())]
