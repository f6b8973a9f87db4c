"""A search from its settings to its result: `run_search`.

The order keeps test sets out of every choice: images are split, trials run and are judged on validation images, the
winners are fixed, and only then are the test sets opened, to measure what was chosen and what was not alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial

from srcnn.cache import prepare_cached
from srcnn.checkpoint import load_network
from srcnn.config import TrainConfig
from srcnn.datasets import ImageSet, NamedImage, data_root, load, split
from srcnn.errors import ConfigError, DataError, SearchError
from srcnn.evaluate import Evaluation, degrade, evaluate
from srcnn.tuning.callback import SearchCallback, error_line, listening, outcome, trial_name
from srcnn.tuning.cluster import Cluster, Interrupt, be_quiet
from srcnn.tuning.enqueue import enqueued
from srcnn.tuning.result import Row, SearchResult, leaderboard_csv, summary_markdown
from srcnn.tuning.scheduler import PerScale
from srcnn.tuning.searcher import StudySearcher
from srcnn.tuning.settings import SearchSettings, save_settings
from srcnn.tuning.space import Space, Value
from srcnn.tuning.space_file import load_space
from srcnn.tuning.tracking import Tracker, environment_tags
from srcnn.tuning.trainable import NETWORK_FILE, ScaleData, run_trial

__all__ = ["EPOCHS", "Plan", "plan_search", "run_search"]

EPOCHS = 9  #: reports of a full trial; ASHA's rungs, each keeping a third, lie at 1, 3 and 9


@dataclass(frozen=True)
class Plan:
    """A search that passed every check and is ready to start."""

    settings: SearchSettings
    space: Space
    training: ImageSet
    validation: ImageSet
    test: tuple[ImageSet, ...]
    first: tuple[Mapping[str, Value], ...]  #: what runs before anything is sampled
    baselines: int  #: how many of these are the paper's network, one for each scale, which no scheduler stops

    @property
    def overrides(self) -> dict[str, Any]:
        """Fields that every run of the search shares."""
        budget = self.settings.budget
        return {"pixels": budget, "epoch_pixels": budget / EPOCHS, "seed": self.settings.seed}


def plan_search(settings: SearchSettings) -> Plan:
    """Load and check everything a search needs, before anything is started or written.

    Raises:
        SRCNNError: the space, the data or their combination breaks a rule.
    """
    space = load_space(Path(settings.space))
    if settings.scales is not None:
        space = space.restrict_scales(settings.scales)
    root = data_root(settings.data_root)
    images = load(settings.train, root, skip_bad=settings.skip_bad)
    count = settings.validation or min(12, max(2, round(len(images) / 10)))
    training, validation = split(images, count, settings.seed)
    test = tuple(load(name, root, skip_bad=settings.skip_bad) for name in settings.test)
    first, baselines = enqueued(space, settings.enqueue)
    plan = Plan(settings, space, training, validation, test, first, baselines)
    shapes = {name: image.shape[:2] for name, image in training.images}
    for corner in space.corners():
        config = space.to_config(corner, **plan.overrides)
        if config.protocol != "srcnn":
            raise ConfigError(f"protocol: a search measures by the papers' protocol, but got {config.protocol!r}")
        for name, (height, width) in shapes.items():
            side = min(height, width) // config.scale * config.scale
            if side < config.patch_size:
                raise DataError(
                    f"patch_size: a training image must hold a sub-image of {config.patch_size} pixels, but {name} of "
                    f"{training.name} has {width}x{height}"
                )
    return plan


def run_search(plan: Plan, *, resume: bool = False, listener: Callable[[Any], None] | None = None) -> SearchResult:
    """Run a planned search, or go on with it, and measure what it found.

    Args:
        plan: from `plan_search`.
        resume: go on where a search of the same name stopped.
        listener: called with every `srcnn.tuning.callback.Event`, on this thread.

    Raises:
        SearchError: a search of that name exists and ``resume`` is off, or a store cannot be used.
    """
    settings, started = plan.settings, time.perf_counter()
    if not resume and settings.folder.exists():
        raise SearchError(f"name: a search {settings.name} exists; add --resume {settings.name} to go on with it")
    be_quiet()
    tracker = Tracker(_absolute(settings.tracking_uri), _artifacts(settings))
    save_settings(settings)
    tags = {
        **environment_tags(),
        "protocol": "srcnn",
        "data.train": plan.training.name,
        "data.digest": plan.training.digest,
        "data.validation": ", ".join(name for name, _ in plan.validation.images),
    }
    status = "FAILED"
    try:
        with listening(listener), Cluster(settings.address) as cluster:
            # While Ray comes up, the store opens and the images are prepared.
            tracker.open_search(settings.name, tags, dict(settings))
            data = {scale: _scale_data(plan, scale) for scale in plan.space.scales}
            cluster.wait()
            with Interrupt() as interrupt:
                rows = [_row(trial) for trial in _tune(plan, data, tracker, tags, resume)]
            interrupted = interrupt.came
            tracker.refresh()  # a restored callback wrote with a tracker of its own
            if not interrupted:
                rows = _measure(plan, tracker, rows)
        bicubic = {
            (images.name, scale): _mean(evaluate(None, images.images, scale))
            for images in plan.test
            for scale in plan.space.scales
            if not interrupted  # no choice is made yet, so no test image is measured
        }
        result = SearchResult(
            settings,
            tuple(rows),
            bicubic,
            interrupted,
            time.perf_counter() - started,
            tracker.parent_id,
            tracker.uri,
        )
        _record(tracker, plan, result)
        status = "KILLED" if interrupted else "FINISHED"
        return result
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        if tracker.parent_id:
            tracker.close_search(status)


def _absolute(uri: str) -> str:
    """Trials and later commands run elsewhere: a relative SQLite path becomes absolute."""
    prefix = "sqlite:///"
    return prefix + str(Path(uri.removeprefix(prefix)).expanduser().resolve()) if uri.startswith(prefix) else uri


def _artifacts(settings: SearchSettings) -> Path | None:
    uri = settings.tracking_uri
    return (
        Path(uri.removeprefix("sqlite:///")).expanduser().resolve().parent / "artifacts"
        if uri.startswith("sqlite:///")
        else None
    )


def _tune(
    plan: Plan, data: Mapping[int, ScaleData], tracker: Tracker, tags: dict[str, str], resume: bool
) -> list[Trial]:
    settings = plan.settings
    gpus = settings.gpus_per_trial
    if gpus is None:
        gpus = 1.0 if ray.cluster_resources().get("GPU", 0) >= 1 else 0.0
    there = ray.cluster_resources()
    for setting, kind, wanted in (("gpus_per_trial", "GPU", gpus), ("cpus_per_trial", "CPU", settings.cpus_per_trial)):
        if wanted > there.get(kind, 0):  # Tune would wait for ever
            raise SearchError(f"{setting}: must not exceed what Ray has, {there.get(kind, 0):g}, but got {wanted:g}")
    trainable = tune.with_resources(
        tune.with_parameters(run_trial, data=data, threads=settings.cpus_per_trial, gpu=gpus > 0),
        {"cpu": settings.cpus_per_trial, "gpu": gpus},
    )
    path = str(settings.folder)
    if resume and tune.Tuner.can_restore(path):
        tuner = tune.Tuner.restore(path, trainable, resume_unfinished=True)
    else:
        dataset = {
            "name": plan.training.name,
            "digest": plan.training.digest,
            "images": str(len(plan.training)),
        }
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=StudySearcher(
                    plan.space,
                    settings.seed,
                    plan.overrides,
                    plan.first,
                    plan.baselines,
                    settings.sampler,
                    settings.objectives,
                ),
                scheduler=PerScale(settings.stopping, plan.space.scales, EPOCHS),
                num_samples=settings.trials,
                max_concurrent_trials=settings.max_concurrent,
                reuse_actors=True,
                trial_name_creator=_short_name,
                trial_dirname_creator=_short_name,
            ),
            run_config=tune.RunConfig(
                name=settings.name,
                storage_path=str(settings.folder.parent),
                callbacks=[SearchCallback(tracker, tags, dataset)],
                # num_to_keep also makes Tune write its own state at every checkpoint, so that a kill loses nothing.
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
                failure_config=tune.FailureConfig(max_failures=2),
                verbose=0,
            ),
        )
    # Tune's public results lack the configuration of a trial that never reported; its trials have it.
    return list(tuner.fit()._experiment_analysis.trials)


def _short_name(trial: Any) -> str:
    """Tune's own names spell out the whole configuration, which overflows a path."""
    return str(trial.trial_id)


def _scale_data(plan: Plan, scale: int) -> ScaleData:
    validation = tuple(degrade(image, scale, name=name) for name, image in plan.validation.images)
    return ScaleData(prepare_cached(plan.training, scale), validation)


def _row(trial: Trial) -> Row:
    metrics = trial.last_result or {}
    config = TrainConfig.from_json(trial.config["train"])
    if trial.status == Trial.ERROR:
        end, failure = "failed", error_line(trial)
    else:
        end = outcome(metrics) if metrics.get("done") else "unfinished"
        failure = str(metrics.get("failure", ""))
    nan = float("nan")
    return Row(
        trial_id=trial.trial_id,
        name=trial_name(config),
        config=config,
        outcome=end,
        reference=bool(trial.config["baseline"]),
        objective=float(metrics.get("best_objective", nan)),
        val_psnr=float(metrics.get("best_val_psnr", nan)),
        val_gain=float(metrics.get("best_val_gain", nan)),
        checkpoint=None if trial.checkpoint is None else Path(trial.checkpoint.path) / NETWORK_FILE,
        failure=failure,
    )


def _mean(evaluation: Evaluation) -> tuple[float, float]:
    return evaluation.mean.psnr, evaluation.mean.ssim


def _record(tracker: Tracker, plan: Plan, result: SearchResult) -> None:
    """The result on the search's own run."""
    figures = {}
    for scale in result.scales:
        for row in result.of_scale(scale)[:1]:
            figures[f"best/x{scale}/val_gain"] = row.val_gain
            figures |= {f"best/x{scale}/{name}/psnr": psnr for name, (psnr, _) in row.test.items()}
    tracker.log_figures(None, figures)
    tracker.log_text(leaderboard_csv(result), "leaderboard.csv")
    tracker.log_text(Path(plan.settings.space).read_text(encoding="utf-8"), "space.yaml")
    tracker.note(summary_markdown(result))


@ray.remote  # type: ignore[untyped-decorator]
def _test(path: str, scale: int, sets: Sequence[tuple[str, tuple[NamedImage, ...]]]) -> dict[str, tuple[float, float]]:
    """Measure one checkpoint on every test set."""
    import torch

    torch.set_num_threads(1)
    network = load_network(Path(path))
    return {name: _mean(evaluate(network, images, scale)) for name, images in sets}


def _measure(plan: Plan, tracker: Tracker, rows: Sequence[Row]) -> list[Row]:
    """Test figures of every trial that left a network; the choice between them is made on validation."""
    sets = ray.put([(images.name, images.images) for images in plan.test])
    pending = {
        row.trial_id: _test.options(num_cpus=1).remote(str(row.checkpoint), row.config.scale, sets)
        for row in rows
        if row.checkpoint is not None and row.outcome in ("finished", "stopped")
    }
    measured = []
    for row in rows:
        if row.trial_id in pending:
            test: dict[str, tuple[float, float]] = ray.get(pending[row.trial_id])
            figures: dict[str, float] = {}
            for name, (psnr, ssim) in test.items():
                figures |= {
                    f"test/{name}/x{row.config.scale}/psnr": psnr,
                    f"test/{name}/x{row.config.scale}/ssim": ssim,
                }
            tracker.log_figures(row.trial_id, figures)
            row = replace(row, test=test)
        measured.append(row)
    return measured
