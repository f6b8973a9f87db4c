"""The champion of each scale in MLflow's model registry: ``models:/srcnn-x3@champion``.

Every registered version is a model that MLflow loads and serves, see `srcnn.tuning.tracking.image_model`.

The winner of a search becomes champion only if it is significantly better than the current champion on this search's judging
images, which were not used to choose it: the 95 % interval of the difference, over its judging seeds and over images, must be
above zero. With fewer than three seeds or four images, the current champion remains. In simulations without a true difference,
at most 3 % of the searches replace the champion (``experiments/bench.py intervals``). The current champion is a single network.
If it was trained or judged on some of these images, the comparison favours it, so the rule is conservative.

If the registry or the store is unavailable, the current champion remains, and the returned sentence says so.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path, PurePosixPath

import numpy as np
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from srcnn.config.quantities import counted
from srcnn.errors import SearchError, SRCNNError
from srcnn.evaluation.pattern_limit import LIMIT
from srcnn.evaluation.protocol import evaluate
from srcnn.model.weights_file import load_network
from srcnn.overlap.leaks import tags as overlap_tags
from srcnn.tuning.adapters.mlflow_internals import run_address
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import artifact_file
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.intervals import Figures, difference
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.whole_search.choice import Choice

__all__ = ["LEAST_IMAGES", "LEAST_SEEDS", "promote"]

#: Minimum number of judging seeds and images for a comparison with the current champion.
LEAST_SEEDS, LEAST_IMAGES = 3, 4
_MODELS = "models"  # folder in that of the search


def promote(plan: Plan, tracker: Tracker, choice: Choice) -> str:
    """Register the winner of a scale, and make it the champion if it is significantly better; return a sentence about it."""
    title = f"{names.registered_model(choice.scale)}@{names.ALIAS_CHAMPION}"
    try:
        return _promote(plan, tracker, choice, title)
    except MlflowException as error:
        return f"{title} stays as it is: the registry failed ({_first_line(error)})"


def _promote(plan: Plan, tracker: Tracker, choice: Choice, title: str) -> str:
    client, name, best = tracker.client, names.registered_model(choice.scale), choice.winner.best
    run_id = tracker.run_of(best.trial_id)
    # This is read before anything is written: a later failure leaves the alias unchanged.
    holder = _holder(tracker, name)
    if holder is not None and holder.run_id == run_id:
        _tag(tracker, choice, holder.version)  # a process that was killed then may not have sent the tags
        return f"{title} is version {holder.version}, this search's"
    try:
        client.create_registered_model(name, description=f"SRCNN at x{choice.scale}, chosen by srcnn's searches")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    gain = choice.winner.gain
    tags = {
        names.MODEL_SEARCH: plan.settings.name,
        names.MODEL_CONFIGURATION: choice.winner.name,
        names.TAG_TRAIN_SET: plan.training.name,
        names.TAG_TRAIN_DIGEST: plan.training.digest,
        names.MODEL_VALIDATION_GAIN: f"{choice.winner.gains.mean():.4f}",
        names.MODEL_VALIDATION: json.dumps([image for image, _ in plan.validation.images]),
        names.MODEL_JUDGING_GAIN: str(gain) if gain is not None else "",
        names.MODEL_JUDGING: json.dumps([image for image, _ in plan.judging.images]),
        names.MODEL_SEEDS: str(len(choice.winner.final)),
        names.MODEL_SEARCH_RUN: tracker.parent_id,
        names.MODEL_TRIAL_RUN: run_id,
        **overlap_tags(plan.left_out, plan.kept),
    }
    _log_model(plan, tracker, best, run_id)
    source = f"{client.get_run(run_id).info.artifact_uri}/{names.ARTIFACT_MODEL}"
    version = _version_of(tracker, name, run_id)
    if version is None:
        version = client.create_model_version(
            name, source, run_id, tags=tags, description=_description(plan, tracker, choice, run_id)
        ).version
    _tag(tracker, choice, version)
    if holder is None:
        client.set_registered_model_alias(name, names.ALIAS_CHAMPION, version)
        return f"{title} is version {version}, the first"
    if choice.winner.has_artefacts and not plan.settings.allow_artefacts:
        return f"{title} stays version {holder.version}, not {version}: that one is {LIMIT}"
    wins, reason = _beats(plan, tracker, choice, holder)
    if not wins:
        return f"{title} stays version {holder.version}, not {version}: {reason}"
    client.set_registered_model_alias(name, names.ALIAS_CHAMPION, version)
    return f"{title} is version {version}: {reason}"


def _description(plan: Plan, tracker: Tracker, choice: Choice, run_id: str) -> str:
    """Return what a version is, as Markdown with links to the runs that it comes from."""
    winner, images = choice.winner, plan.training
    trial, search = (
        run_address("", tracker.experiment_id, one).removeprefix("/") for one in (run_id, tracker.parent_id)
    )
    gain = f", gain on {len(plan.judging)} judging images {winner.gain} dB" if winner.gain is not None else ""
    return (
        f"{winner.name}, trained on {images.name} ({len(images)} images, digest {images.digest}){gain}. "
        f"From [this trial]({trial}) of the search [{plan.settings.name}]({search})."
    )


def _log_model(plan: Plan, tracker: Tracker, best: TrialResult, run_id: str) -> None:
    """Log the network of a trial as an MLflow model to the run of the trial, so that MLflow can load and serve the version.

    The files stay in the folder of the search, because the journal may send them later.
    """
    from srcnn.tuning.tracking.image_model import save_image_model  # MLflow's part for models takes seconds to import

    assert best.checkpoint is not None, "a winner has been measured, so it has a network"
    folder = plan.settings.folder / _MODELS / best.trial_id
    save_image_model(best.checkpoint, folder, run_id, names.ARTIFACT_MODEL)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            inside = PurePosixPath(names.ARTIFACT_MODEL, file.relative_to(folder).parent.as_posix())
            tracker.log_file(best.trial_id, file, str(inside))
    tracker.flush()


def _holder(tracker: Tracker, name: str) -> ModelVersion | None:
    """Return the version that is the current champion; None if the registry answers that there is none.

    Raises:
        MlflowException: the registry gives no answer.
    """
    try:
        model = tracker.client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    if names.ALIAS_CHAMPION not in model.aliases:
        return None
    return tracker.client.get_model_version_by_alias(name, names.ALIAS_CHAMPION)


def _tag(tracker: Tracker, choice: Choice, version: str) -> None:
    """Tag the runs of the winner and of the search with the address of their version."""
    address = f"models:/{names.registered_model(choice.scale)}/{version}"
    tracker.tag_trial(choice.winner.best.trial_id, {names.TAG_REGISTERED: address})
    tracker.tag_search({names.champion_tag(choice.scale): address})


def _version_of(tracker: Tracker, name: str, run_id: str) -> str | None:
    """Return the version that a killed process has registered for a run; None: there is none."""
    found = tracker.client.search_model_versions(f"name='{name}'", max_results=1000)
    numbers = [str(version.version) for version in found if version.run_id == run_id]
    return max(numbers, key=int, default=None)


def _beats(plan: Plan, tracker: Tracker, choice: Choice, holder: ModelVersion) -> tuple[bool, str]:
    """Return whether the winner is significantly better than the current champion, and the reason in words."""
    judged, images = choice.winner.judging_gains, plan.judging.images
    seeds = 0 if judged is None else len(judged)
    if judged is None or seeds < LEAST_SEEDS or len(images) < LEAST_IMAGES:
        return False, (
            f"a comparison needs at least {LEAST_SEEDS} seeds and {LEAST_IMAGES} judging images, but there are {seeds} and "
            f"{len(images)}"
        )
    try:
        held = _gains_of(plan, tracker, choice.scale, holder)
    except (MlflowException, OSError, SRCNNError) as error:
        return False, f"its weights cannot be read to compare with ({_first_line(error)})"
    lead = difference(judged, held)
    where = f"{counted(len(images), 'judging image')}, {counted(seeds, 'seed')}"
    if lead.above_zero:
        return True, f"{lead.signed()} dB over version {holder.version} on {where}"
    return False, f"the lead of {lead.signed()} dB on {where} may be chance"


def _gains_of(plan: Plan, tracker: Tracker, scale: int, holder: ModelVersion) -> Figures:
    """Return the current champion's gains over bicubic on the judging images, (1, images), in dB."""
    images = plan.judging.images
    with tempfile.TemporaryDirectory() as folder:
        file = artifact_file(tracker.client, str(holder.run_id), names.ARTIFACT_NETWORK, Path(folder))
        if file is None:
            raise SearchError(f"run {holder.run_id} has no {names.ARTIFACT_NETWORK}")
        network = load_network(file)
    ours, plain = (
        np.array([score.psnr for score in evaluate(one, images, scale, with_ssim=False).images])
        for one in (network, None)
    )
    return np.asarray((ours - plain)[None])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
