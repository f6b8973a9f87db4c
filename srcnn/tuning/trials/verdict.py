"""`ScaleVerdict`, the result of a confirmation at one scale, as data and in sentences.

The search writes it once, as the artifact ``verdicts.json`` of its run; terminal, note and report all show its `sentences`. The
file holds one JSON object, ``{"version": 1, "verdicts": [...]}``, with one `ScaleVerdict` for each scale; the objects inside
have the fields of the classes here. An interval without bounds has null for them.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from srcnn.overlap.leaks import MARK
from srcnn.tuning.trials.intervals import Interval

__all__ = ["ConfirmedConfiguration", "Lead", "ScaleVerdict", "SeedFigures", "read_verdicts", "verdicts_json"]

_VERSION = 1


@dataclass(frozen=True)
class SeedFigures:
    """One training of a confirmed configuration; figures in dB."""

    seed: int
    trial_id: str
    gain: float | None  #: mean over bicubic, on validation or judging images; None: there is no such image
    psnr: Mapping[str, float] = field(default_factory=dict)  #: mean by test set, of seeds whose test figures count

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able data, which `from_json` reads."""
        return {"seed": self.seed, "trial_id": self.trial_id, "gain": self.gain, "psnr": dict(self.psnr)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SeedFigures:
        """Return the figures that `to_json` wrote."""
        return cls(data["seed"], data["trial_id"], data["gain"], data["psnr"])


@dataclass(frozen=True)
class ConfirmedConfiguration:
    """One configuration that was trained again from new seeds."""

    name: str  #: as tables show it, with its scale
    configuration: str  #: the same without its scale
    reference: bool  #: whether it is the paper's network
    chose: tuple[SeedFigures, ...]  #: seeds that chose
    judged: tuple[SeedFigures, ...] = ()  #: further seeds, which took no part in the choice; empty: it was not judged
    gain: Interval | None = None  #: over bicubic on judging images in dB, over seeds and images; None: not judged there

    @property
    def counted(self) -> tuple[SeedFigures, ...]:
        """The seeds whose figures count: those that judge, where there are some."""
        return self.judged or self.chose

    @property
    def val_gain(self) -> float:
        """Mean gain over bicubic on the validation images, of the seeds that chose, in dB."""
        return statistics.fmean(one.gain for one in self.chose if one.gain is not None)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able data, which `from_json` reads."""
        return {
            "name": self.name,
            "configuration": self.configuration,
            "reference": self.reference,
            "chose": [one.to_json() for one in self.chose],
            "judged": [one.to_json() for one in self.judged],
            "gain": None if self.gain is None else self.gain.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ConfirmedConfiguration:
        """Return the configuration that `to_json` wrote."""
        chose, judged = (tuple(map(SeedFigures.from_json, data[name])) for name in ("chose", "judged"))
        gain = None if data["gain"] is None else Interval.from_json(data["gain"])
        return cls(data["name"], data["configuration"], data["reference"], chose, judged, gain)


@dataclass(frozen=True)
class Lead:
    """How far the champion leads the paper's network that was trained with the same budget and seeds."""

    images: str | None  #: name of the test set; None: the judging images
    interval: Interval  #: interval of the difference, in dB
    overlap: bool = False  #: whether images of the set were trained on or chosen by

    def __str__(self) -> str:
        mark = f" {MARK}" if self.overlap else ""
        where = "the judging images" if self.images is None else f"{self.images}{mark}"
        sure = "surely ahead" if self.interval.low > 0 else "surely behind" if self.interval.high < 0 else "not sure"
        return f"{self.interval.signed()} dB on {where}, {sure}"

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able data, which `from_json` reads."""
        return {"images": self.images, "interval": self.interval.to_json(), "overlap": self.overlap}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Lead:
        """Return the lead that `to_json` wrote."""
        return cls(data["images"], Interval.from_json(data["interval"]), data["overlap"])


@dataclass(frozen=True)
class ScaleVerdict:
    """How the choice of a scale was made, and how surely the champion leads."""

    scale: int
    ranked: tuple[ConfirmedConfiguration, ...]  #: the champion first, by `ConfirmedConfiguration.val_gain`; never empty
    validation_images: int  #: how many chose
    judging_images: int  #: how many judged; 0: none was left
    leads: tuple[Lead, ...] = ()  #: leads of the winner over the paper's network, if both were judged
    failed: tuple[str, ...] = ()  #: configurations of which a seed failed

    @property
    def champion(self) -> ConfirmedConfiguration:
        """The winner."""
        return self.ranked[0]

    @property
    def sets(self) -> list[str]:
        """The test sets that were measured."""
        return list(self.champion.counted[0].psnr)

    def sentences(self) -> list[str]:
        """Return the verdict in words, one line for each sentence, without full stops. Test sets of overlap are marked."""
        at, champion = f"x{self.scale}", self.champion
        chosen = f"{_count(len(champion.chose), 'new seed')} on {_count(self.validation_images, 'validation image')}"
        lines = [f"{at}: {champion.configuration} was chosen by {chosen}"]
        if len(self.ranked) > 1:
            second = self.ranked[1]
            behind = champion.val_gain - second.val_gain
            lines[0] += f", where {second.configuration} is {behind:.3f} dB behind (no test: these figures chose)"
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
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able data, which `from_json` reads."""
        return {
            "scale": self.scale,
            "ranked": [one.to_json() for one in self.ranked],
            "validation_images": self.validation_images,
            "judging_images": self.judging_images,
            "leads": [one.to_json() for one in self.leads],
            "failed": list(self.failed),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ScaleVerdict:
        """Return the verdict that `to_json` wrote.

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
        )


def verdicts_json(verdicts: Sequence[ScaleVerdict]) -> str:
    """Return the text of ``verdicts.json``."""
    return json.dumps({"version": _VERSION, "verdicts": [one.to_json() for one in verdicts]}, indent=1)


def read_verdicts(text: str | None) -> tuple[ScaleVerdict, ...] | None:
    """Return the verdicts that `verdicts_json` wrote; None: there is no text, or its version is unknown."""
    data = {} if text is None else json.loads(text)
    if data.get("version") != _VERSION:
        return None
    return tuple(map(ScaleVerdict.from_json, data["verdicts"]))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
