"""Confirmation of a search: choose among the best configurations with new seeds, then judge the winner with further seeds.

The best of fifty noisy values is biased upwards (selection bias), and so is the best of four. So there are two steps, and a value
that was used to choose is not reported as a result:

1. *Choose.* The best configurations of each scale, and the paper's network, are trained again with the full budget and new seeds.
   The one with the highest mean gain on the validation images wins.
2. *Judge.* The winner and the paper's network are trained again with further seeds, and measured on the judging images. Neither
   these seeds nor these images were used in any choice, so the gains have no selection bias.

In both steps, a configuration of which one network fails on a drawn pattern (`srcnn.evaluation.drawn_patterns`) ranks behind all
others, unless the settings allow it.

Test images are not read before the choice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet
from srcnn.evaluation.pattern_limit import is_too_far_behind
from srcnn.evaluation.protocol import Score, evaluate
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.trials.intervals import Interval, difference, over_seeds, over_seeds_and_images
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.worker.measure import Scores, measure

__all__ = ["Choice", "Confirmed", "choose", "judge", "with_test"]

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Confirmed:
    """One configuration with its trials from new seeds."""

    rows: tuple[TrialResult, ...]  #: trials of the choosing seeds, one per seed
    #: Gains of these trials over bicubic, (seeds, validation images), in dB; for the winner, they have selection bias.
    gains: Figures
    judging_trials: tuple[TrialResult, ...] = ()  #: trials of the judging seeds; only for winner and paper's network
    #: Gains of the judging trials over bicubic, (seeds, judging images), in dB; None: there are no such trials or images.
    judging_gains: Figures | None = None
    psnr: Mapping[str, Figures] = field(default_factory=dict)  #: PSNR of `final`, (seeds, images), in dB, by test set
    ssim: Mapping[str, float] = field(default_factory=dict)  #: mean SSIM of `final`, by test set

    @property
    def name(self) -> str:
        """Name of its trials in tables."""
        return self.rows[0].name

    @property
    def reference(self) -> bool:
        """Whether this is the paper's network."""
        return self.rows[0].reference

    @property
    def final(self) -> tuple[TrialResult, ...]:
        """Trials whose figures are reported: the judging trials, or the choosing ones if there are none."""
        return self.judging_trials or self.rows

    @property
    def gain(self) -> Interval | None:
        """Mean gain over bicubic on the judging images in dB, with an interval over seeds and images; None: not judged."""
        return None if self.judging_gains is None else over_seeds_and_images(self.judging_gains)

    @property
    def pattern_lead(self) -> float | None:
        """Worst lead of all its networks over bicubic on the drawn patterns, in dB; None: not measured."""
        known = (row.pattern_lead for row in (*self.rows, *self.judging_trials))
        return min((lead for lead in known if lead is not None), default=None)

    @property
    def has_artefacts(self) -> bool:
        """Whether one of its networks fails on a drawn pattern."""
        return is_too_far_behind(self.pattern_lead)

    @property
    def best(self) -> TrialResult:
        """Trial of `final` with the highest gain on the validation images, which are not used to judge it."""
        return max(self.final, key=lambda row: row.val_gain)

    def test_psnr(self, name: str) -> Interval:
        """Return the mean PSNR on a test set in dB, with an interval over seeds for these images."""
        return over_seeds(self.psnr[name])


@dataclass(frozen=True)
class Choice:
    """Choice of the winner at a scale, and its lead over the paper's network."""

    scale: int
    #: Confirmed configurations, highest mean gain on the validation images first; behind them those with artefacts.
    ranked: tuple[Confirmed, ...]
    lost: tuple[str, ...] = ()  #: configurations excluded because a seed failed
    by_gain: bool = False  #: whether artefacts were allowed, so that the gain alone decided

    @property
    def winner(self) -> Confirmed:
        """Configuration with the highest mean gain on the validation images, of those without artefacts if there are any."""
        return self.ranked[0]

    @property
    def passed_over(self) -> tuple[Confirmed, ...]:
        """Configurations that were not chosen because of their artefacts; none if the winner has some too."""
        if self.by_gain or self.winner.has_artefacts:
            return ()
        return tuple(one for one in self.ranked[1:] if one.has_artefacts)

    @property
    def paper(self) -> Confirmed | None:
        """The paper's network, trained with the same budget and seeds; None if it was not confirmed."""
        return next((one for one in self.ranked if one.reference), None)

    def _rival(self) -> Confirmed | None:
        return None if self.paper is self.winner else self.paper

    @property
    def over_paper(self) -> Interval | None:
        """Lead of the winner over the paper's network on the judging images in dB, with an interval over seeds and images.

        None if the winner is the paper's network, or one of the two was not judged.
        """
        rival = self._rival()
        if rival is None or rival.judging_gains is None or self.winner.judging_gains is None:
            return None
        return difference(self.winner.judging_gains, rival.judging_gains)

    def test_over_paper(self, name: str) -> Interval | None:
        """Return the same lead on a test set; None without judging trials: values with selection bias have no interval."""
        rival = self._rival()
        if rival is None or not (rival.judging_trials and self.winner.judging_trials) or name not in rival.psnr:
            return None
        return difference(self.winner.psnr[name], rival.psnr[name])


def _psnr(scores: Sequence[Score]) -> list[float]:
    return [score.psnr for score in scores]


def _groups(rows: Sequence[TrialResult]) -> dict[TrainConfig, list[TrialResult]]:
    """Group trials by configuration, ignoring the seed."""
    groups: dict[TrainConfig, list[TrialResult]] = defaultdict(list)
    for row in rows:
        groups[row.config.replace(seed=0)].append(row)
    return groups


def _whole(groups: Mapping[TrainConfig, Sequence[TrialResult]]) -> dict[TrainConfig, tuple[TrialResult, ...]]:
    """Return the groups in which all trials have finished."""
    return {key: tuple(group) for key, group in groups.items() if all(row.outcome is Outcome.FINISHED for row in group)}


def _gains(rows: Sequence[TrialResult], images: ImageSet) -> dict[str, Figures]:
    """Return the gain over bicubic on each image in dB, by trial id."""
    networks = {row.trial_id: (row.checkpoint, row.config.scale) for row in rows if row.checkpoint}
    found = measure(networks, [images], with_ssim=False)
    plain = {
        scale: np.array(_psnr(evaluate(None, images.images, scale, with_ssim=False).images))
        for scale in {scale for _, scale in networks.values()}
    }
    return {trial: np.array(_psnr(found[trial][images.name])) - plain[scale] for trial, (_, scale) in networks.items()}


def choose(plan: Plan, rows: Sequence[TrialResult]) -> list[Choice]:
    """Rank the configurations trained by `choosing`, using only the validation images and the drawn patterns."""
    groups = _groups(rows)
    whole = _whole(groups)
    gains = _gains([row for group in whole.values() for row in group], plan.validation)
    choices = []
    for scale in plan.space.scales:
        found = [
            Confirmed(group, np.array([gains[row.trial_id] for row in group]))
            for key, group in whole.items()
            if key.scale == scale
        ]
        lost = tuple(
            group[0].spec.configuration for key, group in groups.items() if key.scale == scale and key not in whole
        )
        if found:
            choices.append(Choice(scale, _ranked(plan, found), lost, plan.settings.allow_artefacts))
    return choices


def _ranked(plan: Plan, found: Sequence[Confirmed]) -> tuple[Confirmed, ...]:
    def place(one: Confirmed) -> tuple[bool, float]:
        return one.has_artefacts and not plan.settings.allow_artefacts, -float(one.gains.mean())

    return tuple(sorted(found, key=place))


def judge(plan: Plan, choices: Sequence[Choice], rows: Sequence[TrialResult]) -> list[Choice]:
    """Add the trials of `judging`, measured on the judging images, to the choices.

    These images do not change the ranking, but a configuration falls behind if one of its judging trials has artefacts.
    """
    whole = _whole(_groups(rows))
    trials = [row for group in whole.values() for row in group]
    gains = _gains(trials, plan.judging) if len(plan.judging) else {}

    def judged(one: Confirmed) -> Confirmed:
        group = whole.get(one.rows[0].config.replace(seed=0), ())
        if not group:
            return one
        figures = np.array([gains[row.trial_id] for row in group]) if gains else None
        return replace(one, judging_trials=group, judging_gains=figures)

    return [replace(choice, ranked=_ranked(plan, [*map(judged, choice.ranked)])) for choice in choices]


def with_test(choices: Sequence[Choice], sets: Sequence[ImageSet]) -> tuple[list[Choice], dict[str, Scores]]:
    """Add test figures to the choices; also return the scores by trial id. The ranking does not change."""
    rows = [row for choice in choices for one in choice.ranked for row in one.final]
    found = measure({row.trial_id: (row.checkpoint, row.config.scale) for row in rows if row.checkpoint}, sets)
    names = [images.name for images in sets]

    def measured(one: Confirmed) -> Confirmed:
        scores = [found[row.trial_id] for row in one.final]
        return replace(
            one,
            psnr={name: np.array([_psnr(by_set[name]) for by_set in scores]) for name in names},
            ssim={name: float(np.mean([s.ssim for by_set in scores for s in by_set[name]])) for name in names},
        )

    return [replace(choice, ranked=tuple(map(measured, choice.ranked))) for choice in choices], found
