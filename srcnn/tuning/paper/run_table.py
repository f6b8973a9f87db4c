"""Training of the cells of a table: `run_table`. Finished cells are never run again.

A cell is identified by a digest of its configuration and data, stored as a tag of its MLflow run. Cells with a finished
run are skipped, whoever ran them. Cells that a kill interrupted resume from their checkpoints, by Tune's restore of
their stage. Test sets are measured when a cell has finished, and no choice depends on them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from srcnn.data.known_sets import data_root
from srcnn.errors import DeadNetworkError, DivergenceError, SearchError
from srcnn.model.official_weights import official_file
from srcnn.overlap.leaks import tags as overlap_tags
from srcnn.system.atomic_file import atomic_write
from srcnn.system.bounded_read import parse_json, read_text
from srcnn.system.folder_lock import locked
from srcnn.training.patch_cache import prepare_cached
from srcnn.training.patches import degrade_for
from srcnn.tuning.adapters.environment import configure
from srcnn.tuning.algorithms.fixed_list import Listed
from srcnn.tuning.driver.cluster import Cluster, Interrupt, be_quiet
from srcnn.tuning.driver.context import DriverContext
from srcnn.tuning.driver.events import Listener
from srcnn.tuning.driver.snapshot import journal_length
from srcnn.tuning.driver.stage import Stage, run_stage
from srcnn.tuning.paper.table import Cell
from srcnn.tuning.paper.table_metrics import Subject, measure_subjects
from srcnn.tuning.paper.table_plan import TablePlan
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.provenance import environment_tags
from srcnn.tuning.tracking.store_address import check_store
from srcnn.tuning.tracking.tracker import Tracker, open_tracker
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.worker.run_trial import NETWORK_FILE, ScaleData

__all__ = ["TableRun", "run_table"]

_FINAL = {
    error.__name__ for error in (DivergenceError, DeadNetworkError)
}  # caused by the configuration, so it would occur again
_LEFT = "cells.json"  # file in a stage's folder with the digests of its cells


@dataclass(frozen=True)
class TableRun:
    """Result of a call of `run_table`."""

    name: str
    uri: str
    trained: int  #: number of cells trained in this call
    kept: int  #: number of cells finished before
    failed: tuple[str, ...]  #: names and causes of failed runs
    interrupted: bool


def run_table(
    plan: TablePlan, *, listener: Listener | None = None, measured: Callable[[int, int], None] | None = None
) -> TableRun:
    """Train the cells without a finished run, measure them, and measure the authors' networks for comparison.

    Args:
        plan: result of `plan_table`.
        listener: called with every `srcnn.tuning.driver.events.Event`, on this thread.
        measured: called after the training with the number of networks measured on the test images and of all, first with 0.

    Raises:
        SearchError: the store cannot be used, a run of this name is not a table, or another process runs the table.
    """
    configure()
    be_quiet()
    check_store(plan.settings.tracking_uri, write=True)
    with locked(plan.folder, f"name: the table {plan.name}"):
        return _run_table(plan, listener, measured)


def _run_table(plan: TablePlan, listener: Listener | None, measured: Callable[[int, int], None] | None) -> TableRun:
    tracker = open_tracker(plan.settings.tracking_uri, plan.folder)
    validation = plan.images.validation
    tags = {
        **environment_tags(),
        names.TAG_KIND: names.KIND_TABLE,
        names.TAG_PROTOCOL: "srcnn",
        names.TAG_VALIDATION: ", ".join(name for name, _ in validation.images),
    }
    about = overlap_tags(*plan.leaks)  # leaks of the whole table; each trial has those of its training set
    status = "FAILED"
    try:
        with Cluster(plan.settings.address) as cluster:
            counts = journal_length(plan.folder.glob("run-*/tune"))
            params = {**dict(plan.settings), names.PARAM_TABLE: plan.path.stem}
            tracker.open_search(plan.name, {**tags, **about}, params, counts)
            if tracker.tag(names.TAG_KIND) != names.KIND_TABLE:
                raise SearchError(f"name: must be that of a table, but {plan.name} is a search")
            before = _finished(tracker)
            wanted = {plan.key(cell): cell for cell in plan.cells}
            # A report shows the cells of the last call, without those left from an earlier version of the table.
            tracker.log_text(read_text(plan.path), names.ARTIFACT_TABLE)
            tracker.log_text(json.dumps(list(wanted)), names.ARTIFACT_CELLS)
            missing = {key: cell for key, cell in wanted.items() if key not in before}
            cluster.wait()
            with Interrupt() as interrupt:
                context = DriverContext(tracker, listeners=() if listener is None else (listener,))
                _train(plan, missing, context, tags, lambda: interrupt.came)
                if not interrupt.came:
                    _measure(plan, tracker, tags, lambda: interrupt.came, measured)
                interrupted = interrupt.came
        status = "KILLED" if interrupted else "FINISHED"
        ended = _finished(tracker)
        failed = [f"{name}: {cause}" for name, cause in _failures(tracker)]
        kept = len(wanted) - len(missing)
        return TableRun(plan.name, tracker.uri, len(ended.keys() & missing.keys()), kept, tuple(failed), interrupted)
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        if tracker.parent_id:
            tracker.close_search(status)


def _finished(tracker: Tracker) -> dict[str, str]:
    """Return cell -> trial for the trials that finished or failed because of their configuration."""
    found = {}
    for run in tracker.children():
        tags = run.data.tags
        final = tags.get(names.TAG_OUTCOME) == Outcome.FINISHED or tags.get(names.TAG_FAILURE_KIND) in _FINAL
        if names.TAG_CELL in tags and final:
            found[tags[names.TAG_CELL]] = tags[names.TAG_TRIAL]
    return found


def _failures(tracker: Tracker) -> list[tuple[str, str]]:
    return [
        (run.info.run_name or "", run.data.tags.get(names.TAG_FAILURE, ""))
        for run in tracker.children()
        if run.data.tags.get(names.TAG_OUTCOME) == Outcome.FAILED
    ]


def _train(
    plan: TablePlan, missing: dict[str, Cell], context: DriverContext, tags: dict[str, str], stop: Callable[[], bool]
) -> None:
    """Resume the interrupted stage, if there is one, then run the remaining cells in a new stage."""
    stages = sorted(plan.folder.glob("run-*"))
    if stages and not (stages[-1] / "done").exists():
        left = parse_json(read_text(stages[-1] / _LEFT))
        known = {plan.key(cell): cell for cell in plan.cells}
        # Settings may have changed since then: all cells that Tune would resume must still be wanted.
        if all(key in known for key in left) and any(key in missing for key in left):
            _stage(plan, stages[-1], [known[key] for key in left], context, tags, resume=True)
            done = _finished(context.tracker)
            missing = {key: cell for key, cell in missing.items() if key not in done}
    if missing and not stop():
        folder = plan.folder / f"run-{len(stages) + 1:03}"
        folder.mkdir(parents=True)
        with atomic_write(folder / _LEFT) as file:
            file.write_text(json.dumps(list(missing)), encoding="utf-8")
        _stage(plan, folder, list(missing.values()), context, tags, resume=False)


def _stage(
    plan: TablePlan, folder: Path, wanted: Sequence[Cell], context: DriverContext, tags: dict[str, str], *, resume: bool
) -> None:
    trials = [_trial(plan, cell) for cell in wanted]
    data: dict[int | str, ScaleData] = {}
    for cell in wanted:
        if _data_key(cell) not in data:
            data[_data_key(cell)] = _data(plan, cell)
    scales = tuple(sorted({cell.scale for cell in wanted}))
    stage = Stage("table", folder / "tune", len(trials), Listed(trials), "none", scales)
    rows = run_stage(plan.settings, stage, data, context, tags, resume=resume)
    if all(row.outcome in (Outcome.FINISHED, Outcome.FAILED) for row in rows):
        (folder / "done").touch()


def _data_key(cell: Cell) -> str:
    kept = ", overlap kept" if cell.allow_overlap else ""
    copies = f", copies {cell.config.reduced_copies}" if cell.config.reduced_copies else ""
    return f"{cell.train}{kept} x{cell.scale} {cell.config.color} {cell.config.protocol}{copies}"


def _data(plan: TablePlan, cell: Cell) -> ScaleData:
    images, config = plan.images.of(cell).images, cell.config
    return ScaleData(
        prepare_cached(images, cell.scale, color=config.color, protocol=config.protocol, copies=config.reduced_copies),
        tuple(
            degrade_for(config.protocol, image, cell.scale, config.color, name)
            for name, image in plan.images.validation.images
        ),
        images.source,
        {name: start.weights for name, start in plan.starts.items()},
    )


def _trial(plan: TablePlan, cell: Cell) -> TrialSpec:
    length = f"{cell.length / 1e6:g}M" if plan.budget.unit == "pixels" else f"{cell.length:g} epochs"
    by = f" ({cell.recipe})" if len(plan.table.recipes) > 1 else ""
    images = plan.images.of(cell)
    return TrialSpec(
        cell.config,
        {names.PARAM_ROW: cell.row, names.PARAM_RECIPE: cell.recipe},
        reference=True,
        data=_data_key(cell),
        label=f"{cell.row}{by} x{cell.scale} {length}",
        tags={
            names.TAG_CELL: plan.key(cell),
            names.TAG_ROW: cell.row,
            names.TAG_RECIPE: cell.recipe,
            names.TAG_LENGTH: f"{cell.length:g}",
            **overlap_tags(images.left_out, images.kept),
        },
    )


def _measure(
    plan: TablePlan,
    tracker: Tracker,
    tags: dict[str, str],
    stop: Callable[[], bool],
    listener: Callable[[int, int], None] | None,
) -> None:
    """Measure the test images for finished cells without test metrics, the authors' networks and bicubic."""
    runs = {run.data.tags[names.TAG_TRIAL]: run for run in tracker.children()}
    ours = {plan.key(cell) for cell in plan.cells}
    subjects = {}
    for trial, run in runs.items():
        measured = bool(names.set_figures(run.data.metrics))
        if (
            run.data.tags.get(names.TAG_OUTCOME) == Outcome.FINISHED
            and run.data.tags.get(names.TAG_CELL) in ours
            and not measured
        ):
            checkpoint = _checkpoint(plan.folder, trial)
            if checkpoint is not None:
                subjects[trial] = Subject(int(run.data.params[names.PARAM_SCALE]), checkpoint)
    given = {
        key: (row, subject)
        for key, row, subject in _given(plan)
        if key not in runs or runs[key].info.status != "FINISHED"
    }
    subjects |= {key: subject for key, (_, subject) in given.items()}
    if listener is not None:
        listener(0, len(subjects))
    # Each is kept at once: an interruption does not measure again what was measured.
    found = measure_subjects(subjects, plan.images.test, plan.table.measure, stop)
    for done, (trial, figures) in enumerate(found, start=1):
        if trial in given:
            row, subject = given[trial]
            params = {names.PARAM_ROW: row, names.PARAM_SCALE: subject.scale}
            tracker.start_trial(trial, trial, params, {**tags, names.TAG_ROW: row}, _NO_DATA)
        tracker.log_figures(trial, {names.set_metric(name): value for name, value in figures.items()})
        if trial in given:
            tracker.end_trial(trial, "FINISHED", {names.TAG_OUTCOME: names.OUTCOME_GIVEN})
        if listener is not None:
            listener(done, len(subjects))


_NO_DATA = {"name": "none", "digest": "none", "images": "0"}


def _given(plan: TablePlan) -> Iterable[tuple[str, str, Subject]]:
    """Yield (key, row, network) for networks that are not trained here: bicubic, and the authors' networks if downloaded."""
    for scale in plan.table.scales:
        yield f"bicubic x{scale}", "bicubic", Subject(scale)
        for row in plan.table.rows:
            path = _official(plan, row.official, scale)
            if path is not None:
                yield f"official {row.name} x{scale}", row.name, Subject(scale, path, official=True)


def _official(plan: TablePlan, folder: str | None, scale: int) -> Path | None:
    """Return the authors' file of a row; None if there is none or it was not downloaded."""
    return None if folder is None else official_file(folder, scale, data_root(plan.settings.data_root))


def _checkpoint(folder: Path, trial: str) -> Path | None:
    return next(iter(folder.glob(f"run-*/tune/{trial}/{NETWORK_FILE}")), None)
