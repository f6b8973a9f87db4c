"""One trial of a search, as everything that follows it sees it: the confirmation, tables, plots and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from srcnn.config.training import TrainConfig
from srcnn.tuning.space.parameter import Value

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """One trial in the result; PSNRs in dB."""

    trial_id: str
    name: str
    config: TrainConfig
    outcome: str  #: ``finished``, ``stopped`` early, ``failed``, or ``unfinished`` in an interrupted search
    reference: bool  #: the paper's network, trained with the same budget
    objective: float
    val_psnr: float
    val_gain: float
    checkpoint: Path | None
    failure: str = ""
    test: Mapping[str, tuple[float, float]] = field(default_factory=dict)  #: PSNR and SSIM by set
    params: Mapping[str, Value] = field(default_factory=dict)  #: what the search varied
    values: Mapping[str, float] = field(default_factory=dict)  #: by objective, those that were measured
