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
from srcnn.tuning.statistics import Interval, difference, over_seeds, over_seeds_and_images

__all__ = [
    "Choice",
    "Confirmed",
    "Listed",
    "choose",
    "choosing",
    "confirmation_folders",
    "confirmations",
    "judge",
    "judging",
    "with_test",
]

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Confirmed:
    """One configuration, trained from new seeds; figures in dB."""

    rows: tuple[Row, ...]  #: trials of the seeds that chose, one each
    gains: Figures  #: theirs over bicubic, (seeds, validation images); selected, if this is the winner
    fresh: tuple[Row, ...] = ()  #: trials of the seeds that judge; only of the winner and of the paper's network
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
    def final(self) -> tuple[Row, ...]:
        """The trials whose figures count: those that judge, where there are some."""
        return self.fresh or self.rows

    @property
    def gain(self) -> Interval | None:
        """Over bicubic on the judging images, over seeds and images; None if it was not judged."""
        return None if self.judged is None else over_seeds_and_images(self.judged)

    @property
    def best(self) -> Row:
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
    """How many trials choosing and judging will have at most, by scale."""
    settings = plan.settings
    count = (settings.best + bool(plan.baselines)) * settings.choice_seeds
    return dict.fromkeys(plan.space.scales, count + (1 + bool(plan.baselines)) * settings.confirm_seeds)


def confirmation_folders(folder: Path) -> list[Path]:
    """Of the stages that choose and judge: two, and two more for every time that the search was given more trials."""
    return sorted(path for path in folder.glob("confirm*") if path.is_dir())


def _stage(plan: Plan, name: str, folder: str, rows: Sequence[Row], seeds: range) -> Stage | None:
    settings, trials = plan.settings, []
    budget = settings.confirm_budget or settings.budget
    for offset in seeds:  # seed by seed: a stage that is cut short is even
        for row in rows:
            seed = (settings.seed + offset) % 2**31
            config = row.config.replace(seed=seed, pixels=budget, epoch_pixels=budget / EPOCHS)
            trials.append(
                {
                    "params": {**row.params, "seed": seed},
                    "train": config.model_dump_json(),
                    "scale": config.scale,
                    "baseline": row.reference,
                }
            )
    if not trials:
        return None
    return Stage(name, settings.folder / folder, len(trials), Listed(trials), "none", plan.space.scales)


def choosing(plan: Plan, rows: Sequence[Row], seeds: int | None = None) -> Stage | None:
    """The stage that trains the leaders of a search again; None if nothing finished.

    Args:
        plan: the search.
        rows: its trials.
        seeds: new seeds of each; None: as the settings say.
    """
    count = plan.settings.choice_seeds if seeds is None else seeds
    folder = f"confirm-{plan.settings.trials}"
    return _stage(plan, "confirm", folder, _candidates(plan, rows), range(1, count + 1))


def judging(plan: Plan, choices: Sequence[Choice], seeds: int | None = None) -> Stage | None:
    """The stage that trains the winners and the paper's network from further seeds; None if nothing was chosen.

    Args:
        plan: the search.
        choices: from `choose`.
        seeds: further seeds of each; None: as the settings say.
    """
    settings = plan.settings
    count = settings.confirm_seeds if seeds is None else seeds
    rows = [one.rows[0] for choice in choices for one in choice.ranked if one is choice.champion or one.reference]
    first = settings.choice_seeds + 1  # also where fewer seeds chose: a seed never has two meanings
    return _stage(plan, "judge", f"confirm-{settings.trials}-judge", rows, range(first, first + count))


def _psnr(scores: Sequence[Score]) -> list[float]:
    return [score.psnr for score in scores]


def _groups(rows: Sequence[Row]) -> dict[TrainConfig, list[Row]]:
    """Trials by their configuration, whatever the seed."""
    groups: dict[TrainConfig, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.config.replace(seed=0)].append(row)
    return groups


def _whole(groups: Mapping[TrainConfig, Sequence[Row]]) -> dict[TrainConfig, tuple[Row, ...]]:
    """Those of which every seed finished."""
    return {key: tuple(group) for key, group in groups.items() if all(row.outcome == "finished" for row in group)}


def _gains(rows: Sequence[Row], images: ImageSet) -> dict[str, Figures]:
    """By trial, every image's gain over bicubic in dB."""
    networks = {row.trial_id: (row.checkpoint, row.config.scale) for row in rows if row.checkpoint}
    found = measure(networks, [images], with_ssim=False)
    plain = {
        scale: np.array(_psnr(evaluate(None, images.images, scale, with_ssim=False).images))
        for scale in {scale for _, scale in networks.values()}
    }
    return {trial: np.array(_psnr(found[trial][images.name])) - plain[scale] for trial, (_, scale) in networks.items()}


def choose(plan: Plan, rows: Sequence[Row]) -> list[Choice]:
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
        lost = tuple(group[0].name for key, group in groups.items() if key.scale == scale and key not in whole)
        if found:
            ranked = sorted(found, key=lambda one: float(one.gains.mean()), reverse=True)
            choices.append(Choice(scale, tuple(ranked), lost))
    return choices


def judge(plan: Plan, choices: Sequence[Choice], rows: Sequence[Row]) -> list[Choice]:
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
