"""Confirmed configurations of a search, with the figures of their seeds and links to their runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, SeedFigures

__all__ = ["Confirmed", "confirmed_at"]


class Confirmed:
    """Confirmed configuration with its seeds. Figures are in dB, one per reported seed."""

    def __init__(self, data: SearchData, found: ConfirmedConfiguration) -> None:
        self.name, self.reference = found.name, found.reference
        self.judged = bool(found.judged)  #: whether the reported seeds are judging seeds
        self.seeds = found.counted  #: figures of the reported seeds
        self.chose = _gains(found.chose)  #: gains of the choosing seeds over bicubic on the validation images
        #: Gains of the judging seeds over bicubic on the judging images; NaN if there are none.
        self.gains = _gains(found.judged) if self.judged else np.full(len(found.chose), math.nan)
        self.psnr = {name: np.array([one.psnr.get(name, math.nan) for one in self.seeds]) for name in data.test_sets}
        low_high = (math.nan, math.nan) if found.gain is None else (found.gain.low, found.gain.high)
        self.low, self.high = low_high  #: limits of the gain's 95 % interval over seeds and images
        #: Figures of all seeds, each with whether it is a judging seed; choosing seeds first.
        self.all = [*((one, False) for one in found.chose), *((one, True) for one in found.judged)]
        runs = [data.by_trial.get(one.trial_id) for one, _ in self.all]
        self.links = [data.link(run.run_id) if run is not None else None for run in runs]  #: links for `all`

    @property
    def link(self) -> str | None:
        """Link to the run of the first reported seed."""
        return self.links[len(self.all) - len(self.seeds) if self.judged else 0]


def _gains(seeds: Sequence[SeedFigures]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([math.nan if one.gain is None else one.gain for one in seeds])


def confirmed_at(data: SearchData, scale: int) -> list[Confirmed]:
    """Return the confirmed configurations of a scale in the order of the choice, the winner first."""
    return [Confirmed(data, one) for verdict in data.verdicts or () if verdict.scale == scale for one in verdict.ranked]
