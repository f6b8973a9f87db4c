"""The two stages of a confirmation: the first to choose among the best configurations, the second to judge the winner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.algorithms.fixed_list import Listed
from srcnn.tuning.driver.stage import Stage
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.search.choice import Choice
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["choosing", "confirmation_folders", "judging"]


def _candidates(plan: Plan, rows: Sequence[TrialResult]) -> list[TrialResult]:
    """Return the best trials of each scale, and the reference trials."""
    found: list[TrialResult] = []
    for scale in plan.space.scales:
        ranked = sorted(
            (row for row in rows if row.config.scale == scale and row.outcome is Outcome.FINISHED),
            key=lambda row: row.objective,
            reverse=True,
        )
        leaders = ranked[: plan.settings.best]
        found += leaders + [row for row in ranked if row.reference and row not in leaders]
    return found


def confirmation_folders(folder: Path) -> list[Path]:
    """Of the stages that choose and judge: two, and two more for every time that the search was given more trials."""
    return sorted(path for path in folder.glob("confirm*") if path.is_dir())


def _stage(plan: Plan, name: str, folder: str, rows: Sequence[TrialResult], seeds: range) -> Stage | None:
    settings = plan.settings
    trials: list[TrialSpec] = []
    budget = settings.confirm_budget or settings.budget
    for offset in seeds:  # seed by seed, so that all configurations have equally many trials if the stage ends early
        for row in rows:
            seed = (settings.seed + offset) % 2**31
            config = row.config.replace(seed=seed, pixels=budget, epoch_pixels=budget / EPOCHS)
            trials.append(TrialSpec(config, {**row.params, "seed": seed}, row.reference))
    if not trials:
        return None
    return Stage(name, settings.folder / folder, len(trials), Listed(trials), "none", plan.space.scales)


def choosing(plan: Plan, rows: Sequence[TrialResult], seeds: int | None = None) -> Stage | None:
    """Return the stage that trains the best configurations of a search again; None if no trial finished.

    Args:
        plan: the search.
        rows: trials of the search.
        seeds: number of new seeds per configuration; None: as in the settings.
    """
    count = plan.settings.choice_seeds if seeds is None else seeds
    folder = f"confirm-{plan.settings.trials}"
    return _stage(plan, "confirm", folder, _candidates(plan, rows), range(1, count + 1))


def judging(plan: Plan, choices: Sequence[Choice], seeds: int | None = None) -> Stage | None:
    """Return the stage that trains the winners and the paper's network with further seeds; None without choices.

    Args:
        plan: the search.
        choices: choices from `choose`.
        seeds: number of further seeds per configuration; None: as in the settings.
    """
    settings = plan.settings
    count = settings.confirm_seeds if seeds is None else seeds
    rows = [one.rows[0] for choice in choices for one in choice.ranked if one is choice.winner or one.reference]
    first = settings.choice_seeds + 1  # independent of the number of choosing seeds: no seed is used for both purposes
    return _stage(plan, "judge", f"confirm-{settings.trials}-judge", rows, range(first, first + count))
