"""The stages of a confirmation: lower rungs that choose finalists, one that chooses the winner, and one that judges it.

No seed has two purposes: choosing has the first new seeds, judging the ones after these, and each lower rung one more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.algorithms.fixed_list import Listed
from srcnn.tuning.driver.stage import Stage
from srcnn.tuning.planning.confirmations import Rung
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.tracking import names
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.choice import Choice
from srcnn.tuning.whole_search.ladder import Order, distinct_first

__all__ = ["choosing", "climbing", "confirmation_folders", "judging"]


def _confirmed(plan: Plan, rows: Sequence[TrialResult], climbed: Order) -> list[TrialResult]:
    """Return the best configurations of each scale, as far as possible of different architectures, and the references."""
    found: list[TrialResult] = []
    for scale in plan.space.scales:
        ranked = sorted(
            (row for row in rows if row.config.scale == scale and row.outcome is Outcome.FINISHED),
            key=lambda row: row.objective,
            reverse=True,
        )
        leaders = list(climbed.get(scale, distinct_first(ranked)))[: plan.settings.best]
        found += leaders + [row for row in ranked if row.reference and row not in leaders]
    return found


def confirmation_folders(folder: Path) -> list[Path]:
    """Return the folders of all stages of the confirmation; there are more if the search was given more trials."""
    return sorted(path for path in folder.glob("confirm*") if path.is_dir())


def _stage(
    plan: Plan, name: str, folder: str, rows: Sequence[TrialResult], seeds: range, rung: Rung | None = None
) -> Stage | None:
    settings = plan.settings
    trials: list[TrialSpec] = []
    budget = rung.pixels if rung is not None else settings.confirm_budget or settings.budget
    tags = {names.TAG_RUNG: str(rung.number)} if rung is not None else {}
    for offset in seeds:  # seed by seed, so that all configurations have equally many trials if the stage ends early
        for row in rows:
            seed = (settings.seed + offset) % 2**31
            config = row.config.replace(seed=seed, pixels=budget, epoch_pixels=budget / EPOCHS)
            trials.append(TrialSpec(config, {**row.params, "seed": seed}, row.reference, tags=tags))
    if not trials:
        return None
    return Stage(name, settings.folder / folder, len(trials), Listed(trials), "none", plan.space.scales)


def climbing(plan: Plan, rung: Rung, order: Order) -> Stage | None:
    """Return the stage of a lower rung; None if all candidates would go on.

    Args:
        plan: the search.
        rung: the rung.
        order: candidates by scale, the best first. A scale with no more of them than go on trains none.
    """
    settings = plan.settings
    rows = [row for ranked in order.values() if len(ranked) > rung.goes_on for row in ranked[: rung.finalists]]
    seed = settings.choice_seeds + settings.confirm_seeds + rung.number
    folder = f"confirm-{settings.trials}-rung-{rung.number}"
    return _stage(plan, "confirm", folder, rows, range(seed, seed + 1), rung)


def choosing(
    plan: Plan, rows: Sequence[TrialResult], seeds: int | None = None, climbed: Order | None = None
) -> Stage | None:
    """Return the stage that trains the best configurations of a search again; None if there are none.

    Without lower rungs, trials that did not finish are no candidates: their gains are of less training.

    Args:
        plan: the search.
        rows: trials of the search.
        seeds: number of new seeds per configuration; None: as in the settings.
        climbed: configurations that came from lower rungs, by scale, the best first; None: there were no lower rungs.
    """
    count = plan.settings.choice_seeds if seeds is None else seeds
    folder = f"confirm-{plan.settings.trials}"
    return _stage(plan, "confirm", folder, _confirmed(plan, rows, climbed or {}), range(1, count + 1))


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
