"""What a search writes to its own run in MLflow: settings and data at its start, the best so far, and its results at the end."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from srcnn.errors import SRCNNError
from srcnn.tuning.curves.learn_from import counted_by_search
from srcnn.tuning.driver.events import Event
from srcnn.tuning.planning.estimate import estimate
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.planning.speed import Speed
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.tracking.views import save_views, varying
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.pareto import draw_front, front, front_csv
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.verdict import verdicts_json
from srcnn.tuning.whole_search.pictures import Picture, draw_pictures, picture_file
from srcnn.tuning.whole_search.result import SearchResult, choices_csv, leaderboard_csv
from srcnn.tuning.whole_search.summary import summary_markdown

__all__ = ["BestSoFar", "open_run", "record"]

_ENDED = (Outcome.FINISHED, Outcome.STOPPED, Outcome.FAILED)
_log = logging.getLogger(__name__)


def open_run(
    tracker: Tracker, plan: Plan, tags: Mapping[str, str], counts: int, speed: tuple[Speed, int] | None
) -> None:
    """Create the run of a search, or find it: its settings, its image sets, its views, and the expected time.

    Args:
        tracker: tracker that is not open yet.
        plan: the search.
        tags: tags for a new run.
        counts: length of the journal that Tune's newest snapshot includes, in bytes.
        speed: speed of this machine and its number of concurrent trials; None: unknown.

    Raises:
        SearchError: the store cannot be opened.
    """
    settings = plan.settings
    params = {**dict(settings), names.PARAM_SCHEDULER: settings.stopping}
    past = {names.TAG_PAST: counted_by_search(Counter(trial.source for trial in plan.past))} if plan.past else {}
    sets = [(names.CONTEXT_TRAINING, plan.training), (names.CONTEXT_VALIDATION, plan.validation)]
    sets += [(names.CONTEXT_JUDGING, plan.judging)] * bool(len(plan.judging))
    sets += [(names.CONTEXT_TEST, images) for images in plan.test]
    datasets = [{**images.source, "context": context} for context, images in sets]
    there = tracker.open_search(settings.name, {**tags, **past}, params, counts, datasets)
    if speed is not None and not there:
        tracker.log_figures(None, {names.METRIC_EXPECTED_SECONDS: estimate(plan, *speed).seconds})
    _save_views(tracker, plan, varying(plan.space), plan.space.scales)


def _save_views(tracker: Tracker, plan: Plan, params: Sequence[str], scales: Sequence[int]) -> None:
    save_views(
        tracker.client,
        tracker.experiment_id,
        plan.settings.name,
        tracker.parent_id,
        params=params,
        scales=scales,
        created=tracker.started,
    )


@dataclass
class BestSoFar:
    """Listener that logs the highest gain of each scale so far, with the number of its trials that have ended as the step.

    The trials that ended before a resume are counted, and their figures are logged already.
    """

    tracker: Tracker
    _ended: Counter[int] = field(default_factory=Counter)
    _best: dict[int, float] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        if event.kind not in ("end", "restored") or event.stage != "search" or event.outcome not in _ENDED:
            return
        scale, figures = event.spec.scale, None if event.report is None else event.report.figures
        self._ended[scale] += 1
        if figures is not None and event.outcome is Outcome.FINISHED:
            self._best[scale] = max(figures.best_val_gain, self._best.get(scale, figures.best_val_gain))
        if scale in self._best and event.kind == "end":
            metric = names.best_metric(scale, names.METRIC_VAL_GAIN)
            self.tracker.log_figures(None, {metric: self._best[scale]}, self._ended[scale])


def record(tracker: Tracker, plan: Plan, result: SearchResult, *, resumed: bool) -> None:
    """Log the results of a search on its run.

    Args:
        tracker: tracker with the search.
        plan: the search.
        result: its result.
        resumed: whether it was resumed, so that its wall time is not known.
    """
    _log_figures(tracker, result, resumed)
    tracker.log_text(leaderboard_csv(result), names.ARTIFACT_LEADERBOARD)
    tracker.log_text(plan.space_text, names.ARTIFACT_SPACE)
    if plan.left_out or plan.kept:  # complete lists, because long tags are truncated
        found = {"left_out": [asdict(leak) for leak in plan.left_out], "kept": [asdict(leak) for leak in plan.kept]}
        tracker.log_text(json.dumps(found, indent=2), names.ARTIFACT_OVERLAP)
    if result.choices:
        tracker.log_text(choices_csv(result), names.ARTIFACT_CONFIRMED)
    # Also logged if there are no verdicts: a search without this file is from an earlier version.
    tracker.log_text(verdicts_json(result.verdicts), names.ARTIFACT_VERDICTS)
    objectives = plan.settings.objectives
    if len(objectives) > 1 and any(row.outcome is Outcome.FINISHED for row in result.rows):
        tracker.log_text(front_csv(front(result.rows, objectives), objectives), names.ARTIFACT_FRONT)
        picture = plan.settings.folder / names.ARTIFACT_FRONT_PICTURE
        draw_front(result.rows, objectives, picture)
        tracker.log_file(None, picture)
    pictures = {} if result.interrupted else _draw(tracker, plan, result)
    params = [name for name in varying(plan.space) if len({repr(row.params.get(name)) for row in result.rows}) > 1]
    _save_views(tracker, plan, params, result.scales or plan.space.scales)
    tracker.note(summary_markdown(result, tracker.experiment_id, pictures))


def _log_figures(tracker: Tracker, result: SearchResult, resumed: bool) -> None:
    figures: dict[str, float] = {}
    titles = names.set_titles(result.sets)
    for scale in result.scales:
        for row in result.of_scale(scale)[:1]:
            ended = sum(one.config.scale == scale and one.outcome in _ENDED for one in result.rows)
            tracker.log_figures(None, {names.best_metric(scale, names.METRIC_VAL_GAIN): row.val_gain}, ended)
            figures |= {names.best_metric(scale, names.PSNR, titles[name]): p for name, (p, _) in row.test.items()}
    for choice in result.choices:
        winner, scale = choice.winner, choice.scale
        figures[names.champion_metric(scale, names.CHAMPION_VAL_GAIN)] = float(winner.gains.mean())
        if (gain := winner.gain) is not None:
            figures[names.champion_metric(scale, names.CHAMPION_GAIN)] = gain.mean
            figures[names.champion_metric(scale, names.CHAMPION_LOW)] = gain.low
            figures[names.champion_metric(scale, names.CHAMPION_HIGH)] = gain.high
        figures |= {names.champion_metric(scale, names.PSNR, titles[n]): winner.test_psnr(n).mean for n in winner.psnr}
    if not resumed and not result.interrupted:
        figures[names.METRIC_TOOK_SECONDS] = result.seconds
    if figures:
        tracker.log_figures(None, figures)


def _best_two(result: SearchResult, scale: int) -> tuple[TrialResult, TrialResult | None] | None:
    """Return the champion of a scale and the trial of the paper's network; None: there is no champion."""
    for choice in result.choices:
        if choice.scale == scale:
            return choice.winner.best, None if choice.paper is None else choice.paper.best
    rows = result.of_scale(scale)
    return (rows[0], next((row for row in rows if row.reference), None)) if rows else None


def _draw(tracker: Tracker, plan: Plan, result: SearchResult) -> dict[int, list[Picture]]:
    """Log the pictures of each scale's champion, and return them by scale. A search does not fail for its pictures."""
    found: dict[int, list[Picture]] = {}
    for scale in result.scales:
        two = _best_two(result, scale)
        if two is None or two[0].checkpoint is None:
            continue
        inside = f"{names.ARTIFACT_PICTURES}/x{scale}"
        folder = plan.settings.folder / inside  # the files stay there, because the journal may send them later
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paper = None if two[1] is None else two[1].checkpoint
            found[scale] = draw_pictures(two[0].checkpoint, paper, plan.test, scale, folder)
        except (SRCNNError, OSError) as error:
            _log.warning("no pictures of the champion of x%d: %s", scale, str(error).splitlines()[0])
            continue
        files = [picture_file(one.image, kind) for one in found[scale] for kind in ("original", *one.psnr)]
        for name in [*files, names.ARTIFACT_PICTURE_LIST] if files else []:
            tracker.log_file(None, folder / name, inside)
    return found
