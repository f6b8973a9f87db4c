"""Search, then confirm: choose among the best by new seeds, then judge the winner by further seeds and other images.

The best of fifty noisy figures is partly luck, and so is the best of four. Hence two steps, and no figure is both chosen and
reported:

1. *Choose.* The leaders of every scale, and the paper's network, are trained again with the full budget from new seeds; the one
   with the highest mean on the validation images wins.
2. *Judge.* The winner and the paper's network are trained once more, from seeds that took no part in the choice, and measured on
   judging images, which took no part in any choice: what they show is not selected for being high.

Test images are not read here before the choice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet
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
    """One configuration, trained from new seeds; figures in dB."""

    rows: tuple[TrialResult, ...]  #: trials of the seeds that chose, one each
    gains: Figures  #: theirs over bicubic, (seeds, validation images); selected, if this is the winner
    fresh: tuple[
        TrialResult, ...
    ] = ()  #: trials of the seeds that judge; only of the winner and of the paper's network
    judged: Figures | None = None  #: theirs over bicubic, (seeds, judging images); None: no seed or no image judges
    psnr: Mapping[str, Figures] = field(default_factory=dict)  #: of `final`, (seeds, images) by test set
    ssim: Mapping[str, float] = field(default_factory=dict)  #: mean, by test set

    @property
    def name(self) -> str:
        """As its trials are called."""
        return self.rows[0].name

    @property
    def reference(self) -> bool:
        """Whether it is the paper's network."""
        return self.rows[0].reference

    @property
    def final(self) -> tuple[TrialResult, ...]:
        """The trials whose figures count: those that judge, where there are some."""
        return self.fresh or self.rows

    @property
    def gain(self) -> Interval | None:
        """Over bicubic on the judging images, over seeds and images; None if it was not judged."""
        return None if self.judged is None else over_seeds_and_images(self.judged)

    @property
    def best(self) -> TrialResult:
        """Of the trials that count, the one that did best on the validation images, which do not judge it."""
        return max(self.final, key=lambda row: row.val_gain)

    def test_psnr(self, name: str) -> Interval:
        """Of a test set; the interval is over seeds, the images being what they are."""
        return over_seeds(self.psnr[name])


@dataclass(frozen=True)
class Choice:
    """What was chosen at a scale, and how surely it leads."""

    scale: int
    ranked: tuple[Confirmed, ...]  #: highest mean gain on validation first
    lost: tuple[str, ...] = ()  #: configurations of which a seed failed

    @property
    def champion(self) -> Confirmed:
        """The winner."""
        return self.ranked[0]

    @property
    def paper(self) -> Confirmed | None:
        """The paper's network, trained with the same budget and seeds."""
        return next((one for one in self.ranked if one.reference), None)

    def _rival(self) -> Confirmed | None:
        return None if self.paper is self.champion else self.paper

    @property
    def over_paper(self) -> Interval | None:
        """The champion's lead over the paper's network on the judging images, in dB, over seeds and images.

        None if the champion is the paper's network, or one of the two was not judged.
        """
        rival = self._rival()
        if rival is None or rival.judged is None or self.champion.judged is None:
            return None
        return difference(self.champion.judged, rival.judged)

    def test_over_paper(self, name: str) -> Interval | None:
        """The same on a test set; None if the two have no seeds that judge, since a selected figure has no interval."""
        rival = self._rival()
        if rival is None or not (rival.fresh and self.champion.fresh) or name not in rival.psnr:
            return None
        return difference(self.champion.psnr[name], rival.psnr[name])


def _psnr(scores: Sequence[Score]) -> list[float]:
    return [score.psnr for score in scores]


def _groups(rows: Sequence[TrialResult]) -> dict[TrainConfig, list[TrialResult]]:
    """Trials by their configuration, whatever the seed."""
    groups: dict[TrainConfig, list[TrialResult]] = defaultdict(list)
    for row in rows:
        groups[row.config.replace(seed=0)].append(row)
    return groups


def _whole(groups: Mapping[TrainConfig, Sequence[TrialResult]]) -> dict[TrainConfig, tuple[TrialResult, ...]]:
    """Those of which every seed finished."""
    return {key: tuple(group) for key, group in groups.items() if all(row.outcome is Outcome.FINISHED for row in group)}


def _gains(rows: Sequence[TrialResult], images: ImageSet) -> dict[str, Figures]:
    """By trial, every image's gain over bicubic in dB."""
    networks = {row.trial_id: (row.checkpoint, row.config.scale) for row in rows if row.checkpoint}
    found = measure(networks, [images], with_ssim=False)
    plain = {
        scale: np.array(_psnr(evaluate(None, images.images, scale, with_ssim=False).images))
        for scale in {scale for _, scale in networks.values()}
    }
    return {trial: np.array(_psnr(found[trial][images.name])) - plain[scale] for trial, (_, scale) in networks.items()}


def choose(plan: Plan, rows: Sequence[TrialResult]) -> list[Choice]:
    """Rank what `choosing` trained, by the validation images alone."""
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
            ranked = sorted(found, key=lambda one: float(one.gains.mean()), reverse=True)
            choices.append(Choice(scale, tuple(ranked), lost))
    return choices


def judge(plan: Plan, choices: Sequence[Choice], rows: Sequence[TrialResult]) -> list[Choice]:
    """The choices with what `judging` trained, measured on the judging images. The choice stays as it was made."""
    whole = _whole(_groups(rows))
    fresh = [row for group in whole.values() for row in group]
    gains = _gains(fresh, plan.judging) if len(plan.judging) else {}

    def judged(one: Confirmed) -> Confirmed:
        group = whole.get(one.rows[0].config.replace(seed=0), ())
        figures = np.array([gains[row.trial_id] for row in group]) if group and gains else None
        return replace(one, fresh=group, judged=figures)

    return [replace(choice, ranked=tuple(map(judged, choice.ranked))) for choice in choices]


def with_test(choices: Sequence[Choice], sets: Sequence[ImageSet]) -> tuple[list[Choice], dict[str, Scores]]:
    """The choices with their test figures, and every network's scores by trial. The choice stays as it was made."""
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
