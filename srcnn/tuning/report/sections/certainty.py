"""How sure the choices of a search are: in plain words, and in the sentences of its verdicts."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Part, Text
from srcnn.tuning.report.sections.summary import NOT_KEPT
from srcnn.tuning.report.sections.wording import than_paper
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, ScaleVerdict

__all__ = ["certainty"]

_CERTAIN = 0.975  # one side of an interval of 95 %


def certainty(data: SearchData) -> tuple[Part, ...]:
    """Return the section's parts; none if there is nothing to say."""
    if data.confirmation_lost:
        return (Text(NOT_KEPT),)
    if not data.verdicts:
        if not data.of_stage("search"):
            return ()
        return (
            Text(
                "Nothing was confirmed, so no choice is sure: every gain above is of one seed, and the best of many figures is "
                "partly luck. A search without `--no-confirm` trains the best configurations again from new seeds and judges "
                "the winner on images that chose nothing."
            ),
        )
    said = [line for verdict in data.verdicts for line in _plain(verdict)]
    exact = [f"- {escape.markdown(line)}." for verdict in data.verdicts for line in verdict.sentences()]
    return (
        Text("\n".join(f"- {line}" for line in said)),
        Text("The same with its figures, as the search decided it:\n\n" + "\n".join(exact)),
    )


def _plain(verdict: ScaleVerdict) -> list[str]:
    at, winner, lines = f"x{verdict.scale}", verdict.champion, []
    name = escape.markdown(winner.configuration)
    if (second := verdict.runner_up) is not None:
        lines.append(f"{at}, the choice: {_runner_up(winner, second)}")
    for lead in verdict.leads:
        where = "judging images" if lead.images is None else escape.markdown(lead.images)
        more = ""
        if not lead.interval.bounded or lead.interval.low <= 0 <= lead.interval.high:
            more = " More seeds (`--confirm-seeds`) or images would make the interval narrower."
        lines.append(f"{at}, against the paper on {where}: {name} is {than_paper(lead.interval)}.{more}")
    if not winner.judged:
        lines.append(f"{at}: {name} was not judged on new seeds, so its figures are too high by luck.")
    if not lines:
        lines.append(
            f"{at}: {name} was the only configuration that was confirmed, so there is nothing to compare it with."
        )
    return lines


def _runner_up(winner: ConfirmedConfiguration, second: ConfirmedConfiguration) -> str:
    """Return how far the winner is ahead of the second, beside what a new seed changes."""
    behind, name = winner.val_gain - second.val_gain, escape.markdown(second.configuration)
    gains = [np.array([seed.gain for seed in one.chose if seed.gain is not None]) for one in (winner, second)]
    ahead, freedom = f"the runner-up, {name}, is {behind:.3f} dB behind", sum(map(len, gains)) - 2
    if freedom < 1:
        return f"{ahead}; with one seed each, nobody can say whether that is luck."
    spread = math.sqrt(sum(float(((one - one.mean()) ** 2).sum()) for one in gains) / freedom)
    luck = float(stdtrit(freedom, _CERTAIN)) * spread * math.sqrt(sum(1 / len(one) for one in gains))  # Student's t
    if behind <= luck:
        return (
            f"{ahead}, and a new seed alone changes a gain by {spread:.3f} dB: **a close call**, the two may well be equally "
            "good."
        )
    return f"{ahead}, and a new seed changes a gain by {spread:.3f} dB only: **a clear choice** among those confirmed."
