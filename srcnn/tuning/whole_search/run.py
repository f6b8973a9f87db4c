"""Execution of a planned search: `run_search`.

The order of the steps keeps test sets out of every choice:

1. The images are split, and trials are compared on the validation images.
2. The best configurations are trained again with new seeds, and the winners are chosen on the validation images. If the
   confirmation has a large budget, lower rungs choose these configurations from more finalists, on the same images.
3. The winners are trained with further seeds and judged on the judging images, which are not used in any choice.
   A winner that fails on a drawn pattern makes room for the next (`srcnn.tuning.whole_search.last_budget`).
4. Only then are the test sets measured, with the chosen networks.

The plan has already compared the contents of the test sets with the other images, to leave out images that show a test image. No
figure on a test set is used for that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mlflow.exceptions import MlflowException

from srcnn.champions.start import header_of
from srcnn.errors import SearchError
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import evaluate
from srcnn.overlap.leaks import MARK
from srcnn.overlap.leaks import tags as overlap_tags
from srcnn.training.patch_cache import prepare_cached
from srcnn.tuning.adapters.environment import configure
from srcnn.tuning.algorithms.early_stopping import FREEZE_THAW
from srcnn.tuning.algorithms.stage_time import StageTime
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.algorithms.time_budget import Deadline, Size
from srcnn.tuning.driver.cluster import Cluster, Interrupt, be_quiet, end_in_good_order
from srcnn.tuning.driver.context import DriverContext
from srcnn.tuning.driver.events import Event, Listener
from srcnn.tuning.driver.faults import DiskFull, is_disk_full
from srcnn.tuning.driver.live_state import LiveFile, LiveState
from srcnn.tuning.driver.optuna_mirror import OptunaMirror
from srcnn.tuning.driver.snapshot import check_saved_state, journal_length, newest_snapshot
from srcnn.tuning.driver.stage import Stage, run_stage, slots
from srcnn.tuning.planning.confirmations import ladder, least_seeds, smaller, training_after
from srcnn.tuning.planning.estimate import speed_here
from srcnn.tuning.planning.gpu_sharing import measured_share
from srcnn.tuning.planning.one_driver import check_free, only_driver
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import keep_past, save_settings
from srcnn.tuning.planning.speed import Speed
from srcnn.tuning.planning.starts import keep_starts
from srcnn.tuning.planning.time_costs import check_ladder, deadline_of, time_file
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.provenance import environment_tags
from srcnn.tuning.tracking.store_address import check_store, first_line
from srcnn.tuning.tracking.system_metrics import system_metrics
from srcnn.tuning.tracking.tracker import Tracker, open_tracker, ui_command
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.whole_search.champion import promote
from srcnn.tuning.whole_search.choice import Choice, with_test
from srcnn.tuning.whole_search.confirmation import choosing, climbing, confirmation_folders, finalists
from srcnn.tuning.whole_search.ladder import Order, after_rung, candidates
from srcnn.tuning.whole_search.last_budget import confirm, displaced_notes
from srcnn.tuning.whole_search.result import SearchResult, mean
from srcnn.tuning.whole_search.search_run import BestSoFar, open_run, record
from srcnn.tuning.worker.measure import Scores, measure
from srcnn.tuning.worker.run_trial import ScaleData

_log = logging.getLogger(__name__)

__all__ = ["FAILURES", "Plan", "plan_search", "run_search"]

FAILURES = 10  #: number of consecutive failures with the same cause that ends a search


def run_search(
    plan: Plan,
    *,
    resume: bool = False,
    listener: Listener | None = None,
    acknowledge: Callable[[], None] | None = None,
    trust: bool = False,
) -> SearchResult:
    """Run or resume a planned search, confirm its best configurations, and measure the results on the test sets.

    Args:
        plan: plan from `plan_search`.
        resume: whether to resume an earlier search with the same name.
        listener: function called with every `srcnn.tuning.driver.events.Event`, in this thread.
        acknowledge: function called at once at the first Ctrl-C or SIGTERM, before the trials are stopped and saved.
        trust: whether to resume from a state that somebody else may have written (`check_saved_state`).

    Raises:
        SearchError: a search with this name exists and ``resume`` is False, another process runs it, another version of this
            project began it, a store cannot be used, or consecutive trials failed for the same reason. A search can be
            resumed from its newest snapshot.
    """
    settings, started = plan.settings, time.perf_counter()
    check_free(settings, resume=resume)
    check_store(settings.tracking_uri, write=True)
    if resume:
        check_saved_state(settings.folder, trust=trust)  # raises before anything is written
    configure()
    be_quiet()
    # Measured before Ray starts and competes for the processor; cached if the caller has already shown an estimate. Without a
    # time budget, it is not worth measuring.
    speed = speed_here(plan, measure=settings.time_budget is not None)
    if speed is not None and settings.time_budget is not None and not resume:
        check_ladder(plan, deadline_of(plan, *speed))
    with only_driver(settings, resume=resume):
        return _run_search(plan, started, speed, resume, listener, acknowledge)


def _run_search(
    plan: Plan,
    started: float,
    speed: tuple[Speed, int] | None,
    resume: bool,
    listener: Listener | None,
    acknowledge: Callable[[], None] | None,
) -> SearchResult:
    settings = plan.settings
    save_settings(settings)
    keep_past(settings, plan.past)
    keep_starts(settings.folder, plan.starts)
    tracker = open_tracker(settings.tracking_uri, settings.folder)
    tags = {
        **environment_tags(),
        names.TAG_PROTOCOL: "srcnn",
        names.TAG_TRAIN_SET: plan.training.name,
        names.TAG_TRAIN_DIGEST: plan.training.digest,
        names.TAG_VALIDATION: ", ".join(name for name, _ in plan.validation.images),
        names.TAG_JUDGING: ", ".join(name for name, _ in plan.judging.images),
        **overlap_tags(plan.left_out, plan.kept),
    }
    live = LiveFile(
        settings.folder,
        LiveState(settings.name, settings.trials, limit=settings.time_budget),
        {
            "tracking_uri": settings.tracking_uri,
            "scales": list(plan.space.scales),
            "ui": ui_command(settings.tracking_uri),
        },
    )
    mirror = OptunaMirror(settings.folder, settings.name, plan.space, settings.objectives)
    status = "FAILED"
    try:
        live.write("running")
        with Cluster(settings.address) as cluster:
            # While Ray is starting, open the store and prepare the images.
            counts = journal_length((settings.folder, *confirmation_folders(settings.folder)))
            open_run(tracker, plan, tags, counts, speed)
            data: dict[int | str, ScaleData] = {scale: _scale_data(plan, scale) for scale in plan.space.scales}
            cluster.wait()
            if settings.gpus_per_trial == "auto":  # saved, so that a resumed search uses the same share
                plan = replace(plan, settings=settings.replace(gpus_per_trial=measured_share(plan)))
                settings = plan.settings
                save_settings(settings)
            deadline = deadline_of(
                plan,
                None if speed is None else speed[0],
                slots(settings),
                spent=time.perf_counter() - started,
                file=time_file(plan),
            )
            own: tuple[Listener, ...] = (live, mirror, BestSoFar(tracker))
            listeners = own if listener is None else (*own, listener)
            context = DriverContext(tracker, StageTime(deadline), listeners)
            with system_metrics(tracker.uri, tracker.parent_id, wanted=settings.system_metrics):
                found = _run_stages(plan, data, context, tags, resume, acknowledge)
            if not found.interrupted:
                found = _measure(plan, tracker, found)
        result = SearchResult(
            settings,
            tuple(found.rows),
            # If interrupted, no choice is made: test images are not measured.
            {} if found.interrupted else _bicubic(plan),
            found.interrupted,
            time.perf_counter() - started,
            tracker.parent_id,
            tracker.uri,
            tuple(found.choices),
            tuple(found.champions),
            plan.left_out,
            plan.kept,
            tuple(found.notes),
        )
        record(tracker, plan, result, resumed=resume)
        status = "KILLED" if found.interrupted else "FINISHED"
        return result
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    except OSError as error:
        raise DiskFull(settings.folder) if is_disk_full(error) else error from None
    except MlflowException as error:
        raise SearchError(f"tracking-uri: {settings.tracking_uri}: {first_line(error)}") from None
    finally:
        live.write(_LIVE[status])
        mirror.close()
        if tracker.parent_id:
            tracker.close_search(status)


_LIVE: Mapping[str, Literal["ended", "interrupted", "failed"]] = {
    "FINISHED": "ended",
    "KILLED": "interrupted",
    "FAILED": "failed",
}


def _scale_data(plan: Plan, scale: int) -> ScaleData:
    validation = tuple(degrade(image, scale, name=name) for name, image in plan.validation.images)
    held_out = [name for part in (plan.validation, plan.judging) for name, _ in part.images]
    return ScaleData(
        prepare_cached(plan.training, scale, copies=plan.space.reduced_copies),
        validation,
        plan.training.source,
        {name: start.weights for name, start in plan.starts.items()},
        header_of(plan.training, held_out, plan.test, plan.left_out, plan.kept),
    )


def _bicubic(plan: Plan) -> dict[tuple[str, int], tuple[float, float]]:
    return {
        (images.name, scale): mean(evaluate(None, images.images, scale).images)
        for images in plan.test
        for scale in plan.space.scales
    }


@dataclass(frozen=True)
class _Found:
    rows: Sequence[TrialResult]
    interrupted: bool
    choices: Sequence[Choice] = ()
    champions: Sequence[str] = ()
    notes: Sequence[str] = ()


class _SameFailure:
    """Listener that ends a search after several consecutive failures with the same cause."""

    def __init__(self) -> None:
        self.cause, self._count = "", 0

    @property
    def over(self) -> bool:
        return self._count >= FAILURES

    def __call__(self, event: Event) -> None:
        if event.kind != "end" or self.over:
            return
        cause = event.failure if event.outcome is Outcome.FAILED else ""
        kind = cause.partition(":")[0]  # the rest contains steps and values that differ between trials
        same = bool(cause) and kind == self.cause.partition(":")[0]
        self._count, self.cause = (self._count + 1 if same else bool(cause)), cause
        if self.over:
            end_in_good_order()


def _run_stages(
    plan: Plan,
    data: Mapping[int | str, ScaleData],
    context: DriverContext,
    tags: dict[str, str],
    resume: bool,
    acknowledge: Callable[[], None] | None,
) -> _Found:
    settings, failures, deadline = plan.settings, _SameFailure(), context.time.deadline
    context = replace(context, listeners=(*context.listeners, failures))
    untimed = replace(context, time=StageTime(deadline, ends=False))  # the time for a confirmation is reserved
    searcher = StudySearcher(
        plan.space,
        settings.seed,
        plan.overrides,
        plan.first,
        plan.references,
        settings.sampler,
        settings.objectives,
        pauses=settings.stopping == FREEZE_THAW,
        past=plan.past,
        later=training_after(plan),
    )
    search = Stage(
        "search",
        settings.folder,
        settings.trials,
        searcher,
        settings.stopping,
        plan.space.scales,
        "latency" in settings.objectives,
        patterns=True,
    )
    choices: list[Choice] = []
    with Interrupt(acknowledge) as interrupt:
        rows = run_stage(settings, search, data, context, tags, resume=resume)
        if failures.over:
            raise SearchError(
                f"{FAILURES} consecutive trials failed for the same reason, so the search ended: {failures.cause}"
            )

        def train(stage: Stage) -> list[TrialResult] | None:
            """Return the results of a stage of the confirmation; None if it was interrupted."""
            found = run_stage(settings, stage, data, untimed, tags, resume=resume)
            return None if interrupt.came else found

        def begun(stage: Stage) -> bool:
            """Return whether a stage was begun before a resume; one that was begun is finished."""
            return resume and newest_snapshot(stage.folder) is not None

        again, seeds, notes, climbed = None, 0, list[str](), dict[int, Sequence[TrialResult]]()
        if settings.confirm and not interrupt.came:
            climbed, said = _climb(plan, rows, deadline, resume, train)
            notes += said
        if settings.confirm and not interrupt.came:
            again, seeds, note = _confirmation(plan, rows, climbed, deadline, resume)
            notes += [note] * bool(note)
            if again is None or not begun(again):  # else they were printed before the resume
                for note in notes:
                    _log.warning("%s", note)
        if again is not None:

            def time_for(stage: Stage, size: Size) -> bool:
                """Return whether there is time for a stage."""
                return begun(stage) or deadline is None or deadline.fits(size)

            choices, said = confirm(plan, again, seeds, finalists(plan, rows, climbed), train, time_for, begun)
            notes += said
        interrupted = interrupt.came
    return _Found(rows, interrupted, choices, notes=notes)


def _climb(
    plan: Plan,
    rows: Sequence[TrialResult],
    deadline: Deadline | None,
    resume: bool,
    train: Callable[[Stage], list[TrialResult] | None],
) -> tuple[dict[int, Sequence[TrialResult]], list[str]]:
    """Run the lower rungs of the confirmation.

    Returns:
        The configurations that go on, by scale, the best first, for the scales that had a rung; and notes about networks with
        artefacts that did not go on, and about rungs that were left out because of the time budget.
    """
    rungs, order, climbed = ladder(plan), candidates(plan, rows), dict[int, Sequence[TrialResult]]()
    by_results, where, notes = candidates(plan, rows, allow_artefacts=True), "the search", list[str]()
    stages = [f"confirm-{plan.settings.trials}{end}" for end in (*(f"-rung-{rung.number}" for rung in rungs), "")]
    begun = [resume and newest_snapshot(plan.settings.folder / name) is not None for name in stages]
    for place, rung in enumerate(rungs):
        stage = climbing(plan, rung, order)
        if stage is None:
            continue
        if not begun[place]:  # a rung that was begun is finished: there was time for it
            if any(begun[place:]):  # before the resume, there was no time for this rung
                break
            size = deadline.last_size(place) if deadline is not None else None
            if deadline is not None and (size is None or len(size.ladder) <= place):
                note = "" if size is None else deadline.line(size, place)  # without a size, `_confirmation` says so
                notes += [note] * bool(note)
                break
        notes += displaced_notes(by_results, order, rung.finalists, where)
        results = train(stage)
        if results is None:
            break
        scales, where = {row.config.scale for row in results}, f"rung {rung.number}"
        by_results = after_rung(order, results, allow_artefacts=True)
        order = after_rung(order, results, allow_artefacts=plan.settings.allow_artefacts)
        climbed |= {scale: order[scale] for scale in scales}
    return climbed, [*notes, *displaced_notes(by_results, order, plan.settings.best, where)]


def _confirmation(
    plan: Plan,
    rows: Sequence[TrialResult],
    climbed: Order,
    deadline: Deadline | None,
    resume: bool,
) -> tuple[Stage | None, int, str]:
    """Return the choosing stage (None: there is no confirmation), the number of judging seeds, and a note if it is reduced."""
    asked, seeds = choosing(plan, rows, climbed=climbed), plan.settings.confirm_seeds
    if asked is None or deadline is None:
        return asked, seeds, ""
    done = len(ladder(plan))
    size = deadline.last_size(done)
    if resume and newest_snapshot(asked.folder) is not None:
        # A confirmation that was started is finished: its size was adapted to the remaining time when it started.
        return asked, min(seeds, size.seeds) if size is not None else least_seeds(), ""
    if size is None:
        return None, 0, deadline.line(size, done)
    return choosing(smaller(plan, size.best, size.seeds), rows, climbed=climbed), size.seeds, deadline.line(size, done)


def _measure(plan: Plan, tracker: Tracker, found: _Found) -> _Found:
    """Measure test figures: of the confirmed configurations or, without a confirmation, of all trials with a network."""
    if found.choices:
        choices, scores = with_test(found.choices, plan.test)
        for trial_id, by_set in scores.items():
            scale = next(c.scale for c in choices for one in c.ranked for r in one.final if r.trial_id == trial_id)
            tracker.log_figures(trial_id, _figures(plan, by_set, scale))
        mark = f" {MARK}" if plan.kept else ""
        return replace(found, choices=choices, champions=[promote(plan, tracker, c) + mark for c in choices])
    left = [
        row for row in found.rows if row.checkpoint is not None and row.outcome in (Outcome.FINISHED, Outcome.STOPPED)
    ]
    scores = measure({row.trial_id: (row.checkpoint, row.config.scale) for row in left if row.checkpoint}, plan.test)
    rows = []
    for row in found.rows:
        if row.trial_id in scores:
            tracker.log_figures(row.trial_id, _figures(plan, scores[row.trial_id], row.config.scale))
            row = replace(row, test={name: mean(images) for name, images in scores[row.trial_id].items()})
        rows.append(row)
    return replace(found, rows=rows)


def _figures(plan: Plan, scores: Scores, scale: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    titles = names.set_titles(images.name for images in plan.test)
    for name, images in scores.items():
        psnr, ssim = mean(images)
        for kind, figure in ((names.PSNR, psnr), (names.SSIM, ssim)):
            figures[names.set_metric(names.SetFigure(titles[name], scale, kind))] = figure
    return figures
