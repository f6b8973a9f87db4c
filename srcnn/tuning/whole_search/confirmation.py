"""The stages of a confirmation: lower rungs that choose finalists, one that chooses the winner, and one that judges it.

If artefacts rule the winner out, further stages of the last two kinds follow (`srcnn.tuning.whole_search.last_budget`).

No seed has two purposes: choosing has the first new seeds, judging the ones after these, and each lower rung one more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from srcnn.config.training import TrainConfig
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
from srcnn.tuning.whole_search.ladder import Order, places

__all__ = [
    "choosing",
    "choosing_further",
    "climbing",
    "confirmation_folders",
    "confirmed_config",
    "finalists",
    "judging",
]


def _finished(rows: Sequence[TrialResult], scale: int) -> list[TrialResult]:
    found = [row for row in rows if row.config.scale == scale and row.outcome is Outcome.FINISHED]
    return sorted(found, key=lambda row: row.objective, reverse=True)


def finalists(plan: Plan, rows: Sequence[TrialResult], climbed: Order) -> Order:
    """Return the order in which the configurations of each scale are trained with the last budget.

    Args:
        plan: the search.
        rows: trials of the search.
        climbed: configurations that came from lower rungs, the best first, for the scales that had one.
    """
    allowed = plan.settings.allow_artefacts
    return {
        scale: list(climbed.get(scale, places(_finished(rows, scale), allow_artefacts=allowed)))
        for scale in plan.space.scales
    }


def _confirmed(plan: Plan, rows: Sequence[TrialResult], climbed: Order) -> list[TrialResult]:
    """Return the best configurations of each scale, as far as possible of different architectures, and the references."""
    found: list[TrialResult] = []
    for scale, ranked in finalists(plan, rows, climbed).items():
        leaders = list(ranked[: plan.settings.best])
        found += leaders + [row for row in _finished(rows, scale) if row.reference and row not in leaders]
    return found


def confirmed_config(plan: Plan, config: TrainConfig, seed: int = 0, rung: Rung | None = None) -> TrainConfig:
    """Return the configuration with which a confirmation trains a configuration of the search; ``rung``: on a lower rung."""
    settings = plan.settings
    budget = rung.pixels if rung is not None else settings.confirm_budget or settings.budget
    return config.replace(seed=seed, pixels=budget, epoch_pixels=budget / EPOCHS)


def confirmation_folders(folder: Path) -> list[Path]:
    """Return the folders of all stages of the confirmation; there are more if the search was given more trials."""
    return sorted(path for path in folder.glob("confirm*") if path.is_dir())


def _stage(
    plan: Plan, name: str, folder: str, rows: Sequence[TrialResult], seeds: range, rung: Rung | None = None
) -> Stage | None:
    settings = plan.settings
    trials: list[TrialSpec] = []
    tags = {names.TAG_RUNG: str(rung.number)} if rung is not None else {}
    for offset in seeds:  # seed by seed, so that all configurations have equally many trials if the stage ends early
        for row in rows:
            seed = (settings.seed + offset) % 2**31
            config = confirmed_config(plan, row.config, seed, rung)
            trials.append(TrialSpec(config, {**row.params, "seed": seed}, row.reference, tags=tags))
    if not trials:
        return None
    return Stage(name, settings.folder / folder, len(trials), Listed(trials), "none", plan.space.scales, patterns=True)


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


def choosing_further(plan: Plan, rows: Sequence[TrialResult], number: int) -> Stage | None:
    """Return the stage that trains further configurations with the seeds of choosing; None if there are none.

    Args:
        plan: the search.
        rows: at most one configuration per scale.
        number: number of the stage, from 1.
    """
    folder = f"confirm-{plan.settings.trials}-further-{number}"
    return _stage(plan, "confirm", folder, rows, range(1, plan.settings.choice_seeds + 1))


def judging(
    plan: Plan,
    choices: Sequence[Choice],
    seeds: int | None = None,
    *,
    known: Collection[TrainConfig] = (),
    number: int = 1,
) -> Stage | None:
    """Return the stage that trains the winners and the paper's network with further seeds; None if there is nothing to train.

    Args:
        plan: the search.
        choices: choices from `choose`.
        seeds: number of further seeds per configuration; None: as in the settings.
        known: configurations, as `confirmed_config` returns them, that were trained with these seeds already.
        number: number of the stage, from 1; there are several if artefacts rule a winner out after it was judged.
    """
    settings = plan.settings
    count = settings.confirm_seeds if seeds is None else seeds
    rows = [
        one.rows[0]
        for choice in choices
        for one in choice.ranked
        if (one is choice.winner or one.reference) and confirmed_config(plan, one.rows[0].config) not in known
    ]
    first = settings.choice_seeds + 1  # independent of the number of choosing seeds: no seed is used for both purposes
    folder = f"confirm-{settings.trials}-judge" + (f"-{number}" if number > 1 else "")
    return _stage(plan, "judge", folder, rows, range(first, first + count))
