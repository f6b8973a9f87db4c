"""Specification of a trial, created by searchers and read by everything that handles the trial."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srcnn.config.training import TrainConfig
from srcnn.tuning.space.parameter import Value

__all__ = ["TrialSpec"]

_KEY = "spec"  # the only key of a trial's configuration in Ray Tune


@dataclass(frozen=True)
class TrialSpec:
    """Specification of one trial.

    In Ray Tune, the configuration of a trial is a dictionary, which is copied and pickled. `to_tune` and `from_tune` store the
    whole specification in one entry of it, as JSON text.
    """

    config: TrainConfig  #: configuration of the training
    params: Mapping[str, Value] = field(default_factory=dict)  #: values of the parameters that the search varies
    reference: bool = False  #: whether this is the paper's network with the same budget, which no scheduler stops
    data: str | None = None  #: key of the training and validation images; None: the scale is the key
    label: str = ""  #: name in tables; empty: the default name
    tags: Mapping[str, str] = field(default_factory=dict)  #: additional tags for the trial's run in MLflow

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return self.config.scale

    @property
    def data_key(self) -> int | str:
        """Key of the training and validation images."""
        return self.scale if self.data is None else self.data

    @property
    def configuration(self) -> str:
        """Name without the scale, such as ``9-1-5 (64-32) lr 2.0e-03 from champion:2``; the label if there is one."""
        start = self.config.start
        warm = "" if start == "random" else f" from {start.rpartition('/')[2]}"  # of a path the name of the file
        return self.label or f"{self.config.name} lr {self.config.learning_rate:.1e}{warm}"

    @property
    def name(self) -> str:
        """Name in tables, such as ``x3 9-1-5 (64-32) lr 2.0e-03``; the label if there is one."""
        return self.label or f"x{self.scale} {self.configuration}"

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serializable data for `from_json`."""
        return {
            "config": self.config.model_dump(mode="json"),
            "params": dict(self.params),
            "reference": self.reference,
            "data": self.data,
            "label": self.label,
            "tags": dict(self.tags),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialSpec:
        """Return a specification from the data of `to_json`.

        Raises:
            ConfigError: the configuration has an unknown field or an invalid value.
            KeyError: a field is missing.
        """
        config = TrainConfig(**data["config"])
        return cls(config, data["params"], data["reference"], data["data"], data["label"], data["tags"])

    def to_tune(self) -> dict[str, Any]:
        """Return the configuration of the trial for Ray Tune."""
        return {_KEY: json.dumps(self.to_json())}

    @classmethod
    def from_tune(cls, config: Mapping[str, Any]) -> TrialSpec:
        """Return the specification from the configuration of a trial in Ray Tune."""
        return _parsed(config[_KEY])


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> TrialSpec:
    """Parse a specification, with a cache: schedulers and callbacks need it several times per report."""
    return TrialSpec.from_json(json.loads(text))
