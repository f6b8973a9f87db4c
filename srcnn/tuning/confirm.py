"""Search, then confirm: the best of every scale are trained again from new seeds, and the choice is made between means.

The best of fifty noisy figures is partly luck. So the leaders of every scale, and the paper's network, are trained again with
the full budget from seeds that the search has not seen; the one with the highest mean on the validation images wins, and a
paired bootstrap over seeds and images says how sure that is. Test images are not read here before the choice.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.tune.search import Searcher

from srcnn.config import TrainConfig
from srcnn.datasets import ImageSet
from srcnn.evaluate import Score, evaluate
from srcnn.tuning.measure import Scores, measure
from srcnn.tuning.objective import METRIC
from srcnn.tuning.plan import Plan
from srcnn.tuning.row import Row
from srcnn.tuning.scheduler import EPOCHS
from srcnn.tuning.stage import Stage
from srcnn.tuning.statistics import Interval, bootstrap, bootstrap_difference

__all__ = [
    "Choice",
    "Confirmed",
    "Listed",
    "choose",
    "confirmation",
    "confirmation_folders",
    "confirmations",
    "with_test",
]

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Confirmed:
    """One configuration, trained from several new seeds."""

    rows: tuple[Row, ...]  #: a trial for each seed
    gains: Figures  #: (seeds, validation images), dB over bicubic
    psnr: Mapping[str, Figures] = field(default_factory=dict)  #: (seeds, images) by test set, dB
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
    def gain(self) -> Interval:
        """Over bicubic on the validation images, in dB; over seeds and images."""
        return bootstrap(self.gains)

    @property
    def best(self) -> Row:
        """The seed that did best on the validation images."""
        return self.rows[int(self.gains.mean(axis=1).argmax())]

    def test_psnr(self, name: str) -> Interval:
        """Of a test set, in dB; the interval is over seeds, the images being what they are."""
        return bootstrap(self.psnr[name].mean(axis=1, keepdims=True))


@dataclass(frozen=True)
class Choice:
    """What was chosen at a scale, and how surely."""

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

    @property
    def over_second(self) -> Interval | None:
        """By how much the champion leads on validation, in dB; None if it was alone."""
        return bootstrap_difference(self.champion.gains, self.ranked[1].gains) if len(self.ranked) > 1 else None

    @property
    def over_paper(self) -> Interval | None:
        """The same against the paper's network; None if that is the champion or was not confirmed."""
        if self.paper is None or self.paper is self.champion:
            return None
        return bootstrap_difference(self.champion.gains, self.paper.gains)

    def test_over_paper(self, name: str) -> Interval | None:
        """The champion's lead over the paper's network on a test set, in dB, over seeds and images."""
        if self.paper is None or self.paper is self.champion:
            return None
        return bootstrap_difference(self.champion.psnr[name], self.paper.psnr[name])


class Listed(Searcher):  # type: ignore[misc]
    """Suggests what it was given, in order."""

    def __init__(self, trials: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._trials = [dict(trial) for trial in trials]

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next one."""
        return self._trials.pop(0) if self._trials else str(Searcher.FINISHED)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing is learnt."""

    def save(self, checkpoint_path: str) -> None:
        """Write what is left."""
        Path(checkpoint_path).write_bytes(pickle.dumps(self._trials))

    def restore(self, checkpoint_path: str) -> None:
        """Read what `save` wrote."""
        self._trials = pickle.loads(Path(checkpoint_path).read_bytes())


def _candidates(plan: Plan, rows: Sequence[Row]) -> list[Row]:
    """The best of every scale, and the paper's network."""
    found: list[Row] = []
    for scale in plan.space.scales:
        ranked = sorted(
            (row for row in rows if row.config.scale == scale and row.outcome == "finished"),
            key=lambda row: row.objective,
            reverse=True,
        )
        leaders = ranked[: plan.settings.best]
        found += leaders + [row for row in ranked if row.reference and row not in leaders]
    return found


def confirmations(plan: Plan) -> dict[int, int]:
    """How many trials the confirmation will have at most, by scale."""
    return dict.fromkeys(plan.space.scales, (plan.settings.best + 1) * plan.settings.confirm_seeds)


def confirmation_folders(folder: Path) -> list[Path]:
    """Of the confirmations of a search: one, and another for every time that it was given more trials."""
    return sorted(path for path in folder.glob("confirm*") if path.is_dir())


def confirmation(plan: Plan, rows: Sequence[Row], seeds: int | None = None) -> Stage | None:
    """The stage that trains the leaders of a search again; None if nothing finished. ``seeds``: None for the settings'."""
    settings = plan.settings
    budget = settings.confirm_budget or settings.budget
    trials = []
    for offset in range(
        1, (seeds or settings.confirm_seeds) + 1
    ):  # seed by seed: a confirmation that is cut short is even
        for row in _candidates(plan, rows):
            config = row.config.replace(
                seed=(settings.seed + offset) % 2**31, pixels=budget, epoch_pixels=budget / EPOCHS
            )
            trials.append(
                {
                    "params": {**row.params, "seed": config.seed},
                    "train": config.model_dump_json(),
                    "scale": config.scale,
                    "baseline": row.reference,
                }
            )
    if not trials:
        return None
    place = settings.folder / f"confirm-{settings.trials}"
    return Stage("confirm", place, len(trials), Listed(trials), "none", plan.space.scales)


def _psnr(scores: Sequence[Score]) -> list[float]:
    return [score.psnr for score in scores]


def choose(plan: Plan, rows: Sequence[Row]) -> list[Choice]:
    """Rank what a confirmation trained, by the validation images alone."""
    groups: dict[TrainConfig, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.config.replace(seed=0)].append(row)
    whole = {key: group for key, group in groups.items() if all(row.outcome == "finished" for row in group)}
    networks = {r.trial_id: (r.checkpoint, r.config.scale) for group in whole.values() for r in group if r.checkpoint}
    found = measure(networks, [plan.validation], with_ssim=False)
    choices = []
    for scale in plan.space.scales:
        plain = _psnr(evaluate(None, plan.validation.images, scale, with_ssim=False).images)
        confirmed = []
        for key, group in whole.items():
            if key.scale == scale:
                psnr = np.array([_psnr(found[row.trial_id][plan.validation.name]) for row in group])
                confirmed.append(Confirmed(tuple(group), psnr - np.array(plain)))
        lost = tuple(group[0].name for key, group in groups.items() if key.scale == scale and key not in whole)
        if confirmed:
            ranked = sorted(confirmed, key=lambda one: float(one.gains.mean()), reverse=True)
            choices.append(Choice(scale, tuple(ranked), lost))
    return choices


def with_test(choices: Sequence[Choice], sets: Sequence[ImageSet]) -> tuple[list[Choice], dict[str, Scores]]:
    """The choices with their test figures, and every network's scores by trial. The choice stays as it was made."""
    rows = [row for choice in choices for one in choice.ranked for row in one.rows]
    found = measure({row.trial_id: (row.checkpoint, row.config.scale) for row in rows if row.checkpoint}, sets)
    names = [images.name for images in sets]

    def measured(one: Confirmed) -> Confirmed:
        scores = [found[row.trial_id] for row in one.rows]
        return replace(
            one,
            psnr={name: np.array([_psnr(by_set[name]) for by_set in scores]) for name in names},
            ssim={name: float(np.mean([s.ssim for by_set in scores for s in by_set[name]])) for name in names},
        )

    return [replace(choice, ranked=tuple(map(measured, choice.ranked))) for choice in choices], found
