"""Confirmed configurations of a search, with the figures of their seeds and links to their runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, SeedFigures

__all__ = ["Confirmed", "confirmed_at"]


class Confirmed:
    """A confirmed configuration with its new seeds; figures in dB, one for each seed that counts."""

    def __init__(self, data: SearchData, found: ConfirmedConfiguration) -> None:
        self.name, self.reference = found.name, found.reference
        self.judged = bool(found.judged)  #: whether the seeds that count are further ones, which did not choose
        self.seeds = found.counted  #: those that count
        self.chose = _gains(found.chose)  #: gains over bicubic on validation, which chose
        #: Gains on the judging images, which did not; NaN where there was none.
        self.gains = _gains(found.judged) if self.judged else np.full(len(found.chose), math.nan)
        self.psnr = {name: np.array([one.psnr.get(name, math.nan) for one in self.seeds]) for name in data.test_sets}
        low_high = (math.nan, math.nan) if found.gain is None else (found.gain.low, found.gain.high)
        self.low, self.high = low_high  #: 95 % interval of the gain, over seeds and images
        #: Every seed and whether it judges, those that chose first.
        self.all = [*((one, False) for one in found.chose), *((one, True) for one in found.judged)]
        runs = [data.by_trial.get(one.trial_id) for one, _ in self.all]
        self.links = [
            data.link(run.run_id) if run is not None else None for run in runs
        ]  #: link of each configuration in `all`

    @property
    def link(self) -> str | None:
        """Link to the run of its first seed that counts."""
        return self.links[len(self.all) - len(self.seeds) if self.judged else 0]


def _gains(seeds: Sequence[SeedFigures]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([math.nan if one.gain is None else one.gain for one in seeds])


def confirmed_at(data: SearchData, scale: int) -> list[Confirmed]:
    """Return the configurations of a scale in the order that the search chose, the champion first."""
    return [Confirmed(data, one) for verdict in data.verdicts or () if verdict.scale == scale for one in verdict.ranked]
