"""The champions of a search: in plain words, and as data for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from srcnn.tuning.trials.intervals import Interval
from srcnn.tuning.trials.verdict import artefact_words
from srcnn.tuning.whole_search.choice import Choice
from srcnn.tuning.whole_search.result import SearchResult

__all__ = ["champion_words", "champions_json"]


def champion_words(choice: Choice) -> list[str]:
    """Return sentences about the winner of a scale, beside the paper's network and bicubic, without full stops."""
    winner = choice.winner
    name, lead = winner.name, choice.over_paper
    if winner.reference:
        text = f"{name}: the paper's network itself was the best"
    elif lead is not None and lead.bounded:
        figures = f"{abs(lead.mean):.2f} dB ({_range(lead)})"
        if lead.low > 0:
            text = f"{name} is surely better than the paper's network by {figures}"
        elif lead.high < 0:
            text = f"{name} is surely worse than the paper's network by {figures}"
        else:
            text = f"{name} is not surely better than the paper's network: {lead.mean:+.2f} dB ({_range(lead, '+.2f')})"
    elif choice.paper is None:
        text = f"{name} is the best; the paper's network was not in this search"
    else:
        text = f"{name} is the best; it was not compared with the paper's network on images that did not choose it"
    gain = winner.gain
    over = (
        ""
        if gain is None
        else f"; {gain.mean:+.2f} dB over bicubic" + (f" ({_range(gain, '+.2f')})" if gain.bounded else "")
    )
    lost = [f"{one} is out, since a seed of it failed" for one in choice.lost]
    others = [(one.rows[0].spec.configuration, one.pattern_lead) for one in choice.passed_over]
    return [text + over, *lost, *artefact_words(winner.rows[0].spec.configuration, winner.pattern_lead, others)]


def _range(interval: Interval, form: str = ".2f") -> str:
    """Return the limits of an interval, from the smaller to the larger in size."""
    low, high = interval.low, interval.high
    if form == ".2f" and high < 0:
        low, high = -high, -low
    return f"{low:{form}} to {high:{form}}"


def champions_json(result: SearchResult) -> list[dict[str, Any]]:
    """Return the champions for programs, one object a scale.

    Its fields: scale, configuration, reference (whether it is the paper's network), confirmed, network (file), gain (mean gain
    over bicubic in dB, with low and high of its 95 % interval), over_paper (lead over the paper's network on the same images,
    with low and high; null: not measured), test (mean PSNR in dB by test set), words.
    """
    found: list[dict[str, Any]] = []
    for choice in result.choices:
        winner, gain, lead = choice.winner, choice.winner.gain, choice.over_paper
        found.append(
            {
                "scale": choice.scale,
                "configuration": winner.rows[0].spec.configuration,
                "reference": winner.reference,
                "confirmed": True,
                "network": str(winner.best.checkpoint),
                "gain": None if gain is None else gain.to_json(),
                "over_paper": None if lead is None else lead.to_json(),
                "test": {name: winner.test_psnr(name).mean for name in winner.psnr},
                "words": champion_words(choice),
            }
        )
    for scale in [] if result.choices else result.scales:
        for row in result.of_scale(scale)[:1]:
            single: Mapping[str, float | None] = {"mean": row.val_gain, "low": None, "high": None}
            found.append(
                {
                    "scale": scale,
                    "configuration": row.spec.configuration,
                    "reference": row.reference,
                    "confirmed": False,
                    "network": str(row.checkpoint),
                    "gain": dict(single),
                    "over_paper": None,
                    "test": {name: psnr for name, (psnr, _) in row.test.items()},
                    "words": [f"{row.name} is the best single trial, not confirmed", *result.artefact_lines(scale)],
                }
            )
    return found
