"""`TrialSpec`, the specification of a trial: made by the searchers, read by every later step."""

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
    """One trial before it runs.

    Ray Tune wants a trial's configuration as a dictionary, which it copies and pickles: `to_tune` and `from_tune` pack the
    whole specification into one entry of it, as JSON text.
    """

    config: TrainConfig  #: the whole run
    params: Mapping[str, Value] = field(default_factory=dict)  #: values of the parameters that the search varies
    reference: bool = False  #: whether it is the paper's network with the same budget, which no scheduler may stop
    data: str | None = None  #: key of its training and validation images; None: its scale is the key
    label: str = ""  #: its name in tables, if not the usual one
    tags: Mapping[str, str] = field(default_factory=dict)  #: further tags of its MLflow run

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return self.config.scale

    @property
    def data_key(self) -> int | str:
        """The key of its images."""
        return self.scale if self.data is None else self.data

    @property
    def configuration(self) -> str:
        """Its name beside its scale: ``9-1-5 (64-32) lr 2.0e-03``, unless it has a label."""
        return self.label or f"{self.config.name} lr {self.config.learning_rate:.1e}"

    @property
    def name(self) -> str:
        """Its name in tables: ``x3 9-1-5 (64-32) lr 2.0e-03``, unless it has a label."""
        return self.label or f"x{self.scale} {self.configuration}"

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able data, which `from_json` reads."""
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
        """Return the specification that `to_json` wrote.

        Raises:
            ConfigError: the configuration has a field that this version does not know, or breaks a rule.
            KeyError: a field is missing.
        """
        config = TrainConfig(**data["config"])
        return cls(config, data["params"], data["reference"], data["data"], data["label"], data["tags"])

    def to_tune(self) -> dict[str, Any]:
        """Return the configuration that Ray Tune gives to the trial."""
        return {_KEY: json.dumps(self.to_json())}

    @classmethod
    def from_tune(cls, config: Mapping[str, Any]) -> TrialSpec:
        """Return the specification in a trial's configuration in Ray Tune."""
        return _parsed(config[_KEY])


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> TrialSpec:
    """Parse once: schedulers and callbacks ask several times for every report."""
    return TrialSpec.from_json(json.loads(text))
