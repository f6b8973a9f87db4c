"""Verdict of a confirmation at one scale, as data and in sentences.

A search writes its verdicts once, as the artifact ``verdicts.json`` of its run. Terminal, note and report show the same
`sentences`. The file has one JSON object, ``{"version": 1, "verdicts": [...]}``, with one `ScaleVerdict` per scale; the
objects in it have the fields of the classes in this module. The limits of an unbounded interval are null.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from srcnn.evaluation.pattern_limit import LIMIT, behind_words, is_too_far_behind
from srcnn.overlap.leaks import MARK
from srcnn.tuning.trials.intervals import Interval

__all__ = [
    "ConfirmedConfiguration",
    "Lead",
    "ScaleVerdict",
    "SeedFigures",
    "artefact_words",
    "read_verdicts",
    "verdicts_json",
]

_VERSION = 1


@dataclass(frozen=True)
class SeedFigures:
    """Figures of one training of a confirmed configuration."""

    seed: int
    trial_id: str
    gain: float | None  #: mean gain over bicubic on validation or judging images, in dB; None: there is no such image
    psnr: Mapping[str, float] = field(default_factory=dict)  #: mean PSNR in dB, by test set; only for reported seeds

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serializable data for `from_json`."""
        return {"seed": self.seed, "trial_id": self.trial_id, "gain": self.gain, "psnr": dict(self.psnr)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SeedFigures:
        """Return figures from the data of `to_json`."""
        return cls(data["seed"], data["trial_id"], data["gain"], data["psnr"])


@dataclass(frozen=True)
class ConfirmedConfiguration:
    """Configuration that was trained again with new seeds."""

    name: str  #: name in tables, with the scale
    configuration: str  #: name without the scale
    reference: bool  #: whether this is the paper's network
    chose: tuple[SeedFigures, ...]  #: figures of the choosing seeds
    judged: tuple[SeedFigures, ...] = ()  #: figures of the judging seeds, not used in the choice; empty: not judged
    #: Mean gain over bicubic on the judging images in dB, with an interval over seeds and images; None: not judged.
    gain: Interval | None = None
    #: Worst lead of its networks over bicubic on the drawn patterns, in dB; None: not measured, as in earlier searches.
    pattern_lead: float | None = None

    @property
    def counted(self) -> tuple[SeedFigures, ...]:
        """Figures of the reported seeds: the judging seeds, or the choosing ones if there are none."""
        return self.judged or self.chose

    @property
    def val_gain(self) -> float:
        """Mean gain of the choosing seeds over bicubic on the validation images, in dB."""
        return statistics.fmean(one.gain for one in self.chose if one.gain is not None)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serializable data for `from_json`."""
        return {
            "name": self.name,
            "configuration": self.configuration,
            "reference": self.reference,
            "chose": [one.to_json() for one in self.chose],
            "judged": [one.to_json() for one in self.judged],
            "gain": None if self.gain is None else self.gain.to_json(),
            "pattern_lead": self.pattern_lead,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ConfirmedConfiguration:
        """Return a configuration from the data of `to_json`."""
        chose, judged = (tuple(map(SeedFigures.from_json, data[name])) for name in ("chose", "judged"))
        gain = None if data["gain"] is None else Interval.from_json(data["gain"])
        lead = data.get("pattern_lead")
        return cls(data["name"], data["configuration"], data["reference"], chose, judged, gain, lead)


@dataclass(frozen=True)
class Lead:
    """Lead of the winner over the paper's network, trained with the same budget and seeds."""

    images: str | None  #: name of the test set; None: the judging images
    interval: Interval  #: difference in dB with its interval
    overlap: bool = False  #: whether training or validation images show images of the set

    def __str__(self) -> str:
        mark = f" {MARK}" if self.overlap else ""
        where = "the judging images" if self.images is None else f"{self.images}{mark}"
        sure = "surely ahead" if self.interval.low > 0 else "surely behind" if self.interval.high < 0 else "not sure"
        return f"{self.interval.signed()} dB on {where}, {sure}"

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serializable data for `from_json`."""
        return {"images": self.images, "interval": self.interval.to_json(), "overlap": self.overlap}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Lead:
        """Return a lead from the data of `to_json`."""
        return cls(data["images"], Interval.from_json(data["interval"]), data["overlap"])


@dataclass(frozen=True)
class ScaleVerdict:
    """Choice of the winner at a scale, and its leads over the paper's network."""

    scale: int
    #: Configurations by `ConfirmedConfiguration.val_gain`, highest first, behind them those that fail on a drawn pattern; not
    #: empty.
    ranked: tuple[ConfirmedConfiguration, ...]
    validation_images: int  #: number of validation images
    judging_images: int  #: number of judging images; 0: no image was left for judging
    leads: tuple[Lead, ...] = ()  #: leads of the winner over the paper's network, if both were judged
    failed: tuple[str, ...] = ()  #: configurations excluded because a seed failed
    #: Configurations of `ranked` that were not chosen because one of their networks fails on a drawn pattern.
    passed_over: tuple[str, ...] = ()

    @property
    def champion(self) -> ConfirmedConfiguration:
        """Winner of the search at this scale."""
        return self.ranked[0]

    @property
    def runner_up(self) -> ConfirmedConfiguration | None:
        """Next configuration by its gain, if there is one that was not passed over."""
        return next((one for one in self.ranked[1:] if one not in self._passed), None)

    @property
    def _passed(self) -> tuple[ConfirmedConfiguration, ...]:
        """Those of `passed_over`; a configuration that differs in its loss alone may have the same name without its fault."""
        named = (one for one in self.ranked if one.configuration in self.passed_over)
        return tuple(one for one in named if is_too_far_behind(one.pattern_lead))

    @property
    def sets(self) -> list[str]:
        """Test sets that were measured."""
        return list(self.champion.counted[0].psnr)

    def sentences(self) -> list[str]:
        """Return the verdict in sentences without full stops. Test sets that overlap with other images are marked."""
        at, champion = f"x{self.scale}", self.champion
        chosen = f"{_count(len(champion.chose), 'new seed')} on {_count(self.validation_images, 'validation image')}"
        lines = [f"{at}: {champion.configuration} was chosen by {chosen}"]
        if (second := self.runner_up) is not None:
            lead = champion.val_gain - second.val_gain
            lines[0] += f", where {second.configuration} is {lead:.3f} dB behind (no test: these figures chose)"
        if not champion.judged:
            lines.append(
                f"{at}: it was not judged, since not all of its further seeds finished; its test figures are selected ones"
            )
        elif champion.gain is None:
            lines.append(f"{at}: no training image was left to judge it on; give more images, or --judging")
        else:
            how = f"{_count(len(champion.judged), 'further seed')} on {_count(self.judging_images, 'judging image')}"
            lines.append(f"{at}: judged by {how}, it gains {champion.gain.signed()} dB over bicubic")
        if self.leads:
            said = "; ".join(map(str, self.leads))
            lines.append(f"{at}: over the paper's network, same budget and further seeds: {said}")
        lines += [f"{at}: {one} is out, since a seed of it failed" for one in self.failed]
        passed = [(one.configuration, one.pattern_lead) for one in self._passed]
        return lines + [f"{at}: {one}" for one in artefact_words(champion.configuration, champion.pattern_lead, passed)]

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serializable data for `from_json`."""
        return {
            "scale": self.scale,
            "ranked": [one.to_json() for one in self.ranked],
            "validation_images": self.validation_images,
            "judging_images": self.judging_images,
            "leads": [one.to_json() for one in self.leads],
            "failed": list(self.failed),
            "passed_over": list(self.passed_over),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ScaleVerdict:
        """Return a verdict from the data of `to_json`.

        Raises:
            KeyError: a field is missing.
        """
        return cls(
            data["scale"],
            tuple(map(ConfirmedConfiguration.from_json, data["ranked"])),
            data["validation_images"],
            data["judging_images"],
            tuple(map(Lead.from_json, data["leads"])),
            tuple(data["failed"]),
            tuple(data.get("passed_over", ())),  # not in files of earlier searches
        )


def artefact_words(champion: str, lead: float | None, others: Sequence[tuple[str, float | None]]) -> list[str]:
    """Return sentences about artefacts on the drawn patterns, without full stops; none if they have changed nothing.

    Args:
        champion: name of the winner.
        lead: its worst lead over bicubic on the drawn patterns, in dB; None: not measured.
        others: names and leads of the configurations that come before the winner but for their artefacts.
    """
    passed = [f"{name} ({behind_words(one)})" for name, one in others if one is not None and is_too_far_behind(one)]
    lines = [f"passed over, since {LIMIT}: {', '.join(passed)}"] if passed else []
    if lead is not None and is_too_far_behind(lead):
        lines.append(f"{champion} is {LIMIT} ({behind_words(lead)}): champion.py will refuse it")
    return lines


def verdicts_json(verdicts: Sequence[ScaleVerdict]) -> str:
    """Return the text of ``verdicts.json``."""
    return json.dumps({"version": _VERSION, "verdicts": [one.to_json() for one in verdicts]}, indent=1)


def read_verdicts(text: str | None) -> tuple[ScaleVerdict, ...] | None:
    """Return the verdicts from the text of `verdicts_json`; None: there is no text, or its version is unknown."""
    data = {} if text is None else json.loads(text)
    if data.get("version") != _VERSION:
        return None
    return tuple(map(ScaleVerdict.from_json, data["verdicts"]))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
