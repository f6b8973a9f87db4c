"""What a search confirmed, out of its confirmed.csv: the configurations with the figures of their seeds."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from srcnn.tuning.report.data.search_data import SearchData

__all__ = ["Confirmed", "confirmed_at", "number"]

_SEED = re.compile(r" seed \d+$")


class Confirmed:
    """A configuration of confirmed.csv with its new seeds; figures in dB, one for a seed."""

    def __init__(self, data: SearchData, rows: Sequence[Mapping[str, str]]) -> None:
        chose = [row for row in rows if row.get("step", "choose") == "choose"]
        self.rows = [row for row in rows if row not in chose] or chose  #: those whose figures count
        self.judged = self.rows is not chose  #: whether these are of further seeds, which did not choose
        self.name = _SEED.sub("", rows[0].get("configuration", "?"))
        self.reference = rows[0].get("reference") == "True"
        self.chose = np.array([number(row.get("val_gain")) for row in chose])  #: gains on validation, which chose
        #: Gains on the judging images, which did not; NaN where there was none.
        self.gains = np.array([number(row.get("gain")) if self.judged else math.nan for row in self.rows])
        self.psnr = {n: np.array([number(row.get(f"{n}_psnr")) for row in self.rows]) for n in data.test_sets}
        self.low, self.high = (number(self.rows[0].get(f"gain_{end}")) for end in ("low", "high"))
        self.all = list(rows)  #: every seed's line, those that chose first
        runs = [data.by_trial.get(row.get("trial", "")) for row in self.all]
        self.links = [data.link(run.run_id) if run is not None else None for run in runs]

    @property
    def link(self) -> str | None:
        """To its first seed that counts."""
        return self.links[self.all.index(self.rows[0])]


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
    return [Confirmed(data, rows) for _, rows in sorted(places.items())]
