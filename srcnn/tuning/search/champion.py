"""The champion of every scale, in MLflow's model registry: ``models:/srcnn-x3@champion``.

A new champion takes the title only if it beats the holder by more than chance on this search's judging images, which took no
part in choosing it: the 95 % interval of the lead, over its further seeds and over images, lies above zero. With fewer than three
seeds or four images the holder stays. In simulations with nothing to win, at most 3 % of the searches take the title
(``experiments/bench.py intervals``). The holder's single network is taken as it is; if it was trained or judged on some of these
images, that favours it, so the rule errs to its side.

A registry or a store that does not answer is no reason to depose anybody: the holder stays, and the sentence says so.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from srcnn.errors import SRCNNError
from srcnn.evaluation.protocol import evaluate
from srcnn.model.weights_file import load_network
from srcnn.overlap.leaks import tags as overlap_tags
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.search.choice import Choice
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.intervals import Figures, difference

__all__ = ["LEAST_IMAGES", "LEAST_SEEDS", "promote"]

LEAST_SEEDS, LEAST_IMAGES = 3, 4  #: that a comparison with the holder needs


def promote(plan: Plan, tracker: Tracker, choice: Choice) -> str:
    """Register the champion of a scale and give it the title if it earned that; returns a sentence about it."""
    title = f"{names.registered_model(choice.scale)}@{names.ALIAS_CHAMPION}"
    try:
        return _promote(plan, tracker, choice, title)
    except MlflowException as error:
        return f"{title} stays as it is: the registry failed ({_first_line(error)})"


def _promote(plan: Plan, tracker: Tracker, choice: Choice, title: str) -> str:
    client, name, best = tracker.client, names.registered_model(choice.scale), choice.champion.best
    run_id = tracker.run_of(best.trial_id)
    # Before anything is written: a failure from here on leaves the title where it is.
    holder = _holder(tracker, name)
    if holder is not None and holder.run_id == run_id:
        return f"{title} is version {holder.version}, this search's"
    try:
        client.create_registered_model(name, description=f"SRCNN at x{choice.scale}, chosen by srcnn's searches")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    gain = choice.champion.gain
    tags = {
        names.MODEL_SEARCH: plan.settings.name,
        names.MODEL_CONFIGURATION: choice.champion.name,
        names.TAG_TRAIN_SET: plan.training.name,
        names.TAG_TRAIN_DIGEST: plan.training.digest,
        names.MODEL_VALIDATION_GAIN: f"{choice.champion.gains.mean():.4f}",
        names.MODEL_VALIDATION: json.dumps([image for image, _ in plan.validation.images]),
        names.MODEL_JUDGING_GAIN: str(gain) if gain is not None else "",
        names.MODEL_JUDGING: json.dumps([image for image, _ in plan.judging.images]),
        names.MODEL_SEEDS: str(len(choice.champion.final)),
        **overlap_tags(plan.left_out, plan.kept),
    }
    source = f"{client.get_run(run_id).info.artifact_uri}/{names.ARTIFACT_CHECKPOINT}"
    version = client.create_model_version(name, source, run_id, tags=tags).version
    if holder is None:
        client.set_registered_model_alias(name, names.ALIAS_CHAMPION, version)
        return f"{title} is version {version}, the first"
    wins, reason = _beats(plan, tracker, choice, holder)
    if not wins:
        return f"{title} stays version {holder.version}, not {version}: {reason}"
    client.set_registered_model_alias(name, names.ALIAS_CHAMPION, version)
    return f"{title} is version {version}: {reason}"


def _holder(tracker: Tracker, name: str) -> ModelVersion | None:
    """Who has the title; None where the registry says that nobody has it.

    Raises:
        MlflowException: the registry does not say.
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


def _beats(plan: Plan, tracker: Tracker, choice: Choice, holder: ModelVersion) -> tuple[bool, str]:
    """Whether the new champion beats the holder, and why or why not."""
    judged, images = choice.champion.judged, plan.judging.images
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
    where = f"{len(images)} judging images, {seeds} seeds"
    if lead.above_zero:
        return True, f"{lead.signed()} dB over version {holder.version} on {where}"
    return False, f"the lead of {lead.signed()} dB on {where} may be chance"


def _gains_of(plan: Plan, tracker: Tracker, scale: int, holder: ModelVersion) -> Figures:
    """(1, images): the holder's gains over bicubic on the judging images, in dB."""
    images = plan.judging.images
    with tempfile.TemporaryDirectory() as folder:
        file = tracker.client.download_artifacts(str(holder.run_id), names.ARTIFACT_NETWORK, folder)
        network = load_network(Path(file))
    ours, plain = (
        np.array([score.psnr for score in evaluate(one, images, scale, with_ssim=False).images])
        for one in (network, None)
    )
    return np.asarray((ours - plain)[None])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
