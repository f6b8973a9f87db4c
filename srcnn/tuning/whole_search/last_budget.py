"""The last budget of a confirmation: who is trained with it, until a winner has no artefacts.

The choosing stage trains the best configurations, and the judging stage the winner. If a network of the winner fails on a drawn
pattern (`srcnn.evaluation.drawn_patterns`), in either stage, the next confirmed configuration without artefacts takes its place
and is judged with the same seeds. If there is none, the next configuration of the rung before is trained with the seeds of
choosing, and so on until one has no artefacts, none is left, or `MOST_FURTHER` of a scale were trained. If all have artefacts,
the paper's network wins where it was confirmed and has none, else the best of them.

Every step is decided by recorded results alone, so a resumed search decides the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from srcnn.config.training import TrainConfig
from srcnn.evaluation.pattern_limit import LIMIT, behind_words
from srcnn.tuning.algorithms.time_budget import Size
from srcnn.tuning.driver.stage import Stage
from srcnn.tuning.planning.confirmations import MOST_FURTHER
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.whole_search.choice import Choice, choose, judge
from srcnn.tuning.whole_search.confirmation import choosing_further, confirmed_config, judging
from srcnn.tuning.whole_search.ladder import Order, displaced

__all__ = ["confirm", "displaced_notes", "further"]

_log = logging.getLogger(__name__)


def further(
    plan: Plan, choices: Sequence[Choice], order: Order, begun: Mapping[int, Collection[TrainConfig]]
) -> dict[int, TrialResult]:
    """Return by scale the configuration that is trained next with the last budget, because artefacts rule out those before it.

    Args:
        plan: the search.
        choices: choices among those before it.
        order: configurations of each scale in the order in which they are trained with the last budget.
        begun: by scale, the configurations that were trained with it, as `confirmed_config` returns them.
    """
    if plan.settings.allow_artefacts:
        return {}
    found = {}
    for choice in choices:
        ours = [one for one in choice.ranked if not one.reference]
        if not ours or not all(one.has_artefacts for one in ours):
            continue  # one can win, or no network was ruled out by its artefacts
        known = begun.get(choice.scale, ())
        for row in order.get(choice.scale, ()):
            if not row.reference and confirmed_config(plan, row.config) not in known:
                found[choice.scale] = row
                break
    return found


def displaced_notes(by_results: Order, order: Order, count: int, where: str) -> list[str]:
    """Return a line about the networks that their artefacts kept from going on; none if there are none.

    Args:
        by_results, order, count: as in `displaced`.
        where: from where they did not go on, such as ``the search``.
    """
    lost = displaced(by_results, order, count)
    told = ", ".join(_told(row.name, row.pattern_lead) for rows in lost.values() for row in rows)
    return [f"{where}: passed over, since {LIMIT}: {told}"] if told else []


def _told(name: str, lead: float | None) -> str:
    assert lead is not None, "a network with artefacts was measured"
    return f"{name} ({behind_words(lead)})"


def confirm(
    plan: Plan,
    first: Stage,
    seeds: int,
    order: Order,
    train: Callable[[Stage], list[TrialResult] | None],
    time_for: Callable[[Stage, Size], bool],
    begun: Callable[[Stage], bool],
) -> tuple[list[Choice], list[str]]:
    """Choose and judge the winner of each scale with the last budget.

    Args:
        plan: the search.
        first: stage from `choosing`.
        seeds: number of judging seeds.
        order: configurations of each scale, as `finalists` returns them.
        train: trains a stage, or returns the results of one that was trained before a resume; None: it was interrupted.
        time_for: whether there is time for a stage of a size.
        begun: whether a stage was begun before a resume.

    Returns:
        The choices so far; all of them unless an interrupt came. And notes about what there was no time for.
    """
    rows = train(first)
    if rows is None:
        return [], []
    choices, notes = choose(plan, rows), list[str]()
    judged: list[TrialResult] = []
    tried = dict.fromkeys(plan.space.scales, 0)
    stages = {"further": 0, "judge": 0}
    stopped = set[int]()  # scales without time for more
    while True:
        trained = {
            scale: {confirmed_config(plan, row.config) for row in rows if row.config.scale == scale} for scale in tried
        }
        following = {
            scale: row
            for scale, row in further(plan, choices, order, trained).items()
            if scale not in stopped and tried[scale] < MOST_FURTHER
        }
        if following:
            stages["further"] += 1
            stage = choosing_further(plan, [*following.values()], stages["further"])
            assert stage is not None, "there is something to train"
            count = plan.settings.choice_seeds + seeds
            if not time_for(stage, Size(1, seeds, dict.fromkeys(following, count))):
                stopped |= following.keys()
                notes += [_no_time(choices, scale, row) for scale, row in following.items()]
                continue
            for scale, row in following.items():
                tried[scale] += 1
                _log.warning("%s", _begins(choices, scale, row, begun=begun(stage)))
            results = train(stage)
            if results is None:
                return choices, notes
            rows += results
            choices = judge(plan, choose(plan, rows), judged)
            continue
        known = {confirmed_config(plan, row.config) for row in judged}
        stage = judging(plan, choices, seeds, known=known, number=stages["judge"] + 1)
        if stage is None:
            return choices, notes
        scales = [
            choice.scale for choice in choices if confirmed_config(plan, choice.winner.rows[0].config) not in known
        ]
        # The first one is a part of the confirmation, for which there was time.
        if stages["judge"] and not time_for(stage, Size(1, seeds, dict.fromkeys(scales, seeds))):
            return choices, [*notes, "time_budget: no time is left to judge the next configuration"]
        stages["judge"] += 1
        results = train(stage)
        if results is None:
            return choices, notes
        judged += results
        choices = judge(plan, choices, results)


def _failing(choices: Sequence[Choice], scale: int) -> str:
    (choice,) = (one for one in choices if one.scale == scale)
    return ", ".join(
        _told(one.rows[0].spec.configuration, one.pattern_lead) for one in choice.ranked if one.has_artefacts
    )


def _begins(choices: Sequence[Choice], scale: int, row: TrialResult, *, begun: bool) -> str:
    name = row.spec.configuration
    reason = f"x{scale}: {LIMIT}: {_failing(choices, scale)}; so"
    if begun:  # the line was printed before: this one only says why the stage that follows exists
        return f"resumed: {reason} the training of {name} with the last budget had begun"
    return f"{reason} {name} is trained with the last budget too"


def _no_time(choices: Sequence[Choice], scale: int, row: TrialResult) -> str:
    return (
        f"time_budget: x{scale}: {LIMIT}: {_failing(choices, scale)}; no time is left to train "
        f"{row.spec.configuration} instead"
    )
