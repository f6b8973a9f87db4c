"""The MLflow schema: every name that this project writes to MLflow or reads from it, on one page.

One experiment (`EXPERIMENT`) holds everything. A search, or the run of a paper's table, is a *parent* run; every training below
it is a *trial*, a child run that MLflow's pages nest by `TAG_PARENT_RUN`. Prefixes: ``TAG_`` tags (text, may change), ``PARAM_``
parameters (text, written once), ``METRIC_`` metrics (numbers; of a trial a history, whose step is the epoch), ``ARTIFACT_`` paths
below a run's artifacts, ``MODEL_`` the model registry. Gains and PSNRs are in dB. Stores of earlier versions have the same
names; what they lack, readers report as not kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from srcnn.overlap.leaks import KEPT, LEFT_OUT
from srcnn.tuning.trials.objective import METRIC
from srcnn.tuning.trials.report import EpochFigures

EXPERIMENT = "srcnn"

# --- Tags that MLflow gives a meaning ---

TAG_PARENT_RUN = "mlflow.parentRunId"  #: of a trial: its parent's run
TAG_NOTE = "mlflow.note.content"  #: of a search, at its end: Markdown that its page shows first; nothing reads it
TAG_COMMIT = "mlflow.source.git.commit"  #: of every run: see `srcnn.tuning.tracking.provenance`
TAG_SOURCE = "mlflow.source.name"  #: of every run: the command
TAG_USER = "mlflow.user"  #: of every run

# --- Tags of every run, written when it is made ---

TAG_TRIAL = "srcnn.trial"  #: Ray Tune's id of the trial, or `PARENT`
PARENT = "parent"  #: value of `TAG_TRIAL` of a parent run
TAG_PROTOCOL = "protocol"  #: how figures are measured: ``srcnn``
TAG_DEVICE = "device"  #: the driver's GPU, or its processor and cores
TAG_TRAIN_SET = "data.train"  #: name of the training set
TAG_TRAIN_DIGEST = "data.digest"  #: digest of its pixels
TAG_VALIDATION = "data.validation"  #: names of the validation images
TAG_JUDGING = "data.judging"  #: names of the judging images of a search
TAG_LEFT_OUT = LEFT_OUT  #: images that were left out; written and read by `srcnn.overlap.leaks`
TAG_OVERLAP = KEPT  #: images that were kept on request; written and read by `srcnn.overlap.leaks`
_VERSION = "version."  # before the name of a library

# --- Tags of a parent run ---

TAG_SEARCH = "srcnn.search"  #: name of the search or of the table's run
TAG_KIND = "srcnn.kind"  #: `KIND_TABLE`; a search where there is no such tag
KIND_SEARCH, KIND_TABLE = "search", "table"

# --- Tags of a trial, written by the driver ---

TAG_STAGE = "stage"  #: at its start: ``search``, ``confirm``, ``judge`` or ``table``
TAG_REFERENCE = "reference"  #: at its start: ``True`` of the paper's network with the same budget
TAG_CONFIGURATION = "srcnn.configuration"  #: at its start: name in tables, without the seed
TAG_OUTCOME = "outcome"  #: at its end: a value of `srcnn.tuning.trials.outcome.Outcome`, or one of the next two
OUTCOME_GIVEN = "given"  #: of a table: measured, but not trained here (bicubic, the authors' networks)
OUTCOME_ORPHAN = "orphan"  #: set by ``runs.py repair``: Ray Tune knows of no such trial
TAG_FAILURE = "failure"  #: at the end of a failed trial: the error in a line, for people
TAG_FAILURE_KIND = "failure.kind"  #: with it, of a failure that the trial itself reported: name of the error's class
TAG_TRIAL_DEVICE = "trial.device"  #: at its end: ``cpu``, or ``cuda`` with the card
TAG_TRIAL_NODE = "trial.node"  #: at its end: Ray's id of the machine
TAG_CELL = "srcnn.cell"  #: of a table: digest of configuration and data, by which a finished cell is known
TAG_ROW, TAG_RECIPE = "srcnn.row", "srcnn.recipe"  #: of a table: the cell's row and recipe
TAG_LENGTH = "srcnn.length"  #: of a table: the cell's budget, in training pixels or epochs

# --- Parameters ---
# A parent run has every field of its settings (`SearchSettings`, `TableSettings`) under the field's name; a trial every field of
# its `TrainConfig` and every parameter of the search space. Named here are those that something reads.

PARAM_SPACE = "space"  #: of a search: path of the search space
PARAM_BUDGET = "budget"  #: of a search: training pixels of a trial; of a table: name of the budget
PARAM_CONFIRM_BUDGET = "confirm_budget"  #: of a search: training pixels of a confirmation; ``None``: those of a trial
PARAM_OBJECTIVES = "objectives"  #: of a search: what is optimised, a JSON list (a Python tuple in earlier versions)
PARAM_TRIALS = "trials"  #: of a search: how many
PARAM_SAMPLER, PARAM_SCHEDULER = "sampler", "scheduler"  #: of a search
PARAM_TRAIN = "train"  #: of a search: the training set as it was asked for
PARAM_TABLE = "table"  #: of a table: stem of its file
PARAM_SEED = "seed"  #: of a search or a trial
PARAM_SCALE = "scale"  #: of a trial: upscaling factor
PARAM_PIXELS, PARAM_EPOCH_PIXELS = "pixels", "epoch_pixels"  #: of a trial: training pixels in all, and of an epoch
PARAM_ROW, PARAM_RECIPE = "row", "recipe"  #: of a table's trial; bicubic's row is ``bicubic``

# --- Metrics of a trial, one step for each epoch ---
# Written by the driver for every report of the trial. Meanings and units: `srcnn.tuning.trials.report.EpochFigures`.

METRIC_OBJECTIVE = METRIC  #: gain over bicubic on validation as a share of the paper's
METRIC_VAL_PSNR, METRIC_VAL_GAIN = "val_psnr", "val_gain"  #: dB
METRIC_BEST_OBJECTIVE = f"best/{METRIC_OBJECTIVE}"  #: highest so far
METRIC_BEST_EPOCH = "best/epoch"  #: the epoch of the highest validation PSNR so far
METRIC_BEST_VAL_PSNR, METRIC_BEST_VAL_GAIN = f"best/{METRIC_VAL_PSNR}", f"best/{METRIC_VAL_GAIN}"  #: dB, highest so far
METRIC_LOSS = "loss"  #: mean squared error on planes in [0, 1]
METRIC_LEARNING_RATE = "learning_rate"
METRIC_PIXELS = "pixels"  #: target pixels so far
METRIC_TRAIN_SECONDS, METRIC_EPOCH_SECONDS = "train_seconds", "epoch_seconds"
METRIC_LATENCY = "latency_ms"  #: milliseconds for an image of 512x512 pixels; only where latency is an objective

#: Metric by field of `EpochFigures`.
EPOCH_METRICS: Mapping[str, str] = {
    "objective": METRIC_OBJECTIVE,
    "best_objective": METRIC_BEST_OBJECTIVE,
    "best_epoch": METRIC_BEST_EPOCH,
    "best_val_psnr": METRIC_BEST_VAL_PSNR,
    "best_val_gain": METRIC_BEST_VAL_GAIN,
    "val_psnr": METRIC_VAL_PSNR,
    "val_gain": METRIC_VAL_GAIN,
    "loss": METRIC_LOSS,
    "learning_rate": METRIC_LEARNING_RATE,
    "pixels": METRIC_PIXELS,
    "train_seconds": METRIC_TRAIN_SECONDS,
    "epoch_seconds": METRIC_EPOCH_SECONDS,
}

# --- Figures on test sets, without steps ---
# Written once all choices are made: of a trial below ``test/``, of a search's winners below ``best/`` and ``champion/``.

PSNR, SSIM = "psnr", "ssim"  #: mean over a set, dB and [0, 1]
ARTICLE = "article"  #: mean PSNR as the article measures it, dB
SECONDS = "seconds"  #: time for one image, mean of the first set
PLANES = ("Y", "Cb", "Cr", "color")  #: of tables in colour, instead of `PSNR`: PSNR of each plane and of all three, dB
_TEST = "test/"
_SCALES = {f"x{scale}": scale for scale in (2, 3, 4)}

# --- Artifacts ---

ARTIFACT_CHECKPOINT = "checkpoint"  #: of a trial: folder of its network, written at its end
ARTIFACT_NETWORK = f"{ARTIFACT_CHECKPOINT}/network.safetensors"  #: of a trial: the network of its best epoch
ARTIFACT_REPORT = "report"  #: of a parent run: folder of its report, written by ``report.py``
ARTIFACT_SPACE = "space.yaml"  #: of a search, at its end: the search space as it was
ARTIFACT_LEADERBOARD = "leaderboard.csv"  #: of a search, at its end: every trial, for people
ARTIFACT_VERDICTS = "verdicts.json"  #: of a search, at its end: see `srcnn.tuning.trials.verdict`
ARTIFACT_CONFIRMED = "confirmed.csv"  #: of a search, at its end: the figures of `ARTIFACT_VERDICTS`, for people
ARTIFACT_FRONT = "pareto.csv"  #: of a search with several objectives, at its end; beside it ``pareto.png``
ARTIFACT_FRONT_PICTURE = "pareto.png"
ARTIFACT_OVERLAP = "overlap.json"  #: of a search, at its end: both lists of leaks, whole
ARTIFACT_TABLE = "table.yaml"  #: of a table, at its start: the file
ARTIFACT_CELLS = "cells.json"  #: of a table, at its start: digests of the cells that were asked for last

# --- Model registry, written by the choice of a champion ---

ALIAS_CHAMPION = "champion"  #: of the version that no later champion has beaten
MODEL_SEARCH, MODEL_CONFIGURATION = "search", "configuration"  #: tags of a version: where it comes from
MODEL_SEEDS = "seeds"  #: tag of a version: seeds that its figures rest on
MODEL_VALIDATION_GAIN = "validation.gain"  #: tag of a version: mean over the seeds that chose, in dB
MODEL_JUDGING_GAIN = "judging.gain"  #: tag of a version: mean with its 95 % interval, in dB; for people only
MODEL_VALIDATION, MODEL_JUDGING = "validation.images", "judging.images"  #: tags of a version: JSON lists of names


def registered_model(scale: int) -> str:
    """Return the name of a scale's champions in the model registry: ``srcnn-x3``."""
    return f"srcnn-x{scale}"


def param_text(value: object) -> str:
    """Return a setting as the text of a parameter of a parent run: lists as JSON, so that they can be read back."""
    return json.dumps(list(value)) if isinstance(value, tuple | list) else str(value)


def valid_metric(name: str) -> str:
    """Return a name that MLflow takes: a metric's may hold a test set's, which is whatever a folder is called."""
    parts = (part for part in name.split("/") if part not in ("", ".", ".."))
    return re.sub(r"[^\w\-. :/]", "_", "/".join(parts))


def version_tag(library: str) -> str:
    """Return the tag of a library's version, of every run: ``version.torch``."""
    return f"{_VERSION}{library}"


def versions(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the versions in a run's tags, by library, in alphabetical order."""
    return {name.removeprefix(_VERSION): tags[name] for name in sorted(tags) if name.startswith(_VERSION)}


def epoch_metrics(figures: EpochFigures) -> dict[str, float]:
    """Return the metrics of one epoch: those figures that were measured."""
    return {EPOCH_METRICS[field]: value for field, value in figures.known.items()}


@dataclass(frozen=True)
class SetFigure:
    """A figure on a test set, as metrics and tables name it: ``Set5/x3/psnr``, of one image ``Set5/x3/psnr/baby``."""

    images: str  #: name of the test set, which may hold slashes
    scale: int  #: upscaling factor
    kind: str = PSNR  #: `PSNR`, `SSIM`, `ARTICLE`, `SECONDS` or one of `PLANES`
    image: str = ""  #: name of one image; empty: the mean over the set

    def __str__(self) -> str:
        return f"{self.images}/x{self.scale}/{self.kind}" + (f"/{self.image}" if self.image else "")

    @classmethod
    def parse(cls, text: str) -> SetFigure:
        """Return the figure that a name means.

        Raises:
            ValueError: the name holds no scale with a figure behind it.
        """
        parts = text.split("/")
        for i in range(1, len(parts) - 1):
            if parts[i] in _SCALES:
                return cls("/".join(parts[:i]), _SCALES[parts[i]], parts[i + 1], "/".join(parts[i + 2 :]))
        raise ValueError(f"{text!r}: must be SET/xSCALE/FIGURE or SET/xSCALE/FIGURE/IMAGE")


def set_metric(figure: SetFigure | str) -> str:
    """Return the metric of a trial's figure on a test set: ``test/Set5/x3/psnr``."""
    return f"{_TEST}{figure}"


def set_figures(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return a trial's figures on test sets, by `SetFigure` as text."""
    return {name.removeprefix(_TEST): float(metrics[name]) for name in metrics if name.startswith(_TEST)}


def best_metric(scale: int, figure: str, images: str = "") -> str:
    """Return the metric of a search's best trial at a scale: ``best/x3/val_gain``, of a test set ``best/x3/Set5/psnr``."""
    return "/".join(("best", f"x{scale}", *[images] * bool(images), figure))


CHAMPION_VAL_GAIN = METRIC_VAL_GAIN  #: mean of the seeds that chose, on the validation images that chose
CHAMPION_GAIN, CHAMPION_LOW, CHAMPION_HIGH = (
    "gain",
    "gain_low",
    "gain_high",
)  #: on the judging images, with its 95 % interval


def champion_metric(scale: int, figure: str, images: str = "") -> str:
    """Return the metric of a search's champion at a scale: ``champion/x3/gain``, of a test set ``champion/x3/Set5/psnr``."""
    return "/".join(("champion", f"x{scale}", *[images] * bool(images), figure))
