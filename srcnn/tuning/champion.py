"""The champion of every scale, in MLflow's model registry: ``models:/srcnn-x3@champion``.

A new champion takes the title only if it beats the old one on this search's validation images by more than chance: the
whole bootstrap interval of the difference is positive. The new one's seeds and the old one's single network are compared on
images that the new one was not trained on; if the old one was, that favours the old one, so the rule errs to its side.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from srcnn.checkpoint import load_network
from srcnn.errors import SRCNNError
from srcnn.evaluate import evaluate
from srcnn.leaks import tags as overlap_tags
from srcnn.tuning.confirm import Choice
from srcnn.tuning.plan import Plan
from srcnn.tuning.statistics import bootstrap_difference
from srcnn.tuning.tracking import Tracker

__all__ = ["ALIAS", "model_name", "promote"]

ALIAS = "champion"


def model_name(scale: int) -> str:
    """``srcnn-x3``."""
    return f"srcnn-x{scale}"


def promote(plan: Plan, tracker: Tracker, choice: Choice) -> str:
    """Register the champion of a scale and give it the title if it earned that; returns a sentence about it."""
    client, name, best = tracker.client, model_name(choice.scale), choice.champion.best
    run_id = tracker.run_of(best.trial_id)
    old = _holder(tracker, name)
    if old is not None and old.run_id == run_id:
        return f"{name}@{ALIAS} is version {old.version}, this search's"
    try:
        client.create_registered_model(name, description=f"SRCNN at x{choice.scale}, chosen by srcnn's searches")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {
        "search": plan.settings.name,
        "configuration": choice.champion.name,
        "data.train": plan.training.name,
        "data.digest": plan.training.digest,
        "validation.gain": str(choice.champion.gain),
        "validation.images": json.dumps([image for image, _ in plan.validation.images]),
        "seeds": str(len(choice.champion.rows)),
        **overlap_tags(plan.left_out, plan.kept),
    }
    source = f"{client.get_run(run_id).info.artifact_uri}/checkpoint"
    version = client.create_model_version(name, source, run_id, tags=tags).version
    if old is None:
        client.set_registered_model_alias(name, ALIAS, version)
        return f"{name}@{ALIAS} is version {version}, the first"
    verdict = _beats(plan, tracker, choice, old)
    if isinstance(verdict, str):
        client.set_registered_model_alias(name, ALIAS, version)
        return f"{name}@{ALIAS} is version {version}; the old one, version {old.version}, {verdict}"
    wins, difference = verdict
    if not wins:
        return (
            f"{name}@{ALIAS} stays version {old.version}: version {version} differs from it by {difference} dB on the "
            "validation images"
        )
    client.set_registered_model_alias(name, ALIAS, version)
    return f"{name}@{ALIAS} is version {version}: {difference} dB over version {old.version} on the validation images"


def _holder(tracker: Tracker, name: str) -> ModelVersion | None:
    try:
        return tracker.client.get_model_version_by_alias(name, ALIAS)
    except MlflowException:  # no such model, or nobody holds the title
        return None


def _beats(plan: Plan, tracker: Tracker, choice: Choice, old: ModelVersion) -> tuple[bool, str] | str:
    """Whether the new champion beats the holder, with the difference; or why the holder cannot be measured."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = tracker.client.download_artifacts(str(old.run_id), "checkpoint/network.safetensors", folder)
            network = load_network(Path(file))
    except (MlflowException, OSError, SRCNNError):
        return "has lost its weights"
    scale, images = choice.scale, plan.validation.images
    psnr, plain = (
        np.array([score.psnr for score in evaluate(which, images, scale, with_ssim=False).images])
        for which in (network, None)
    )
    difference = bootstrap_difference(choice.champion.gains, (psnr - plain)[None], paired_seeds=False)
    return difference.above_zero, difference.signed()
