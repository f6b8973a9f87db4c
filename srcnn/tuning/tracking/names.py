"""MLflow schema: every name that this project writes to MLflow or reads from it.

One experiment (`EXPERIMENT`) contains all runs. A search, or one run of a paper's table, is a *parent* run. Each of its trainings
is a *trial*, a child run that MLflow's web pages nest by `TAG_PARENT_RUN`. Prefixes: ``TAG_`` tags (text, may change), ``PARAM_``
parameters (text, written once), ``METRIC_`` metrics (numbers; for a trial a history with the epoch as the step), ``ARTIFACT_``
paths of artifacts, ``MODEL_`` names in the model registry. Gains and PSNRs are in dB. Earlier versions used the same names. If an
entry is missing in their runs, readers report it as not kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from srcnn.overlap.leaks import KEPT, LEFT_OUT
from srcnn.tuning.trials.objective import METRIC
from srcnn.tuning.trials.report import EpochFigures

EXPERIMENT = "srcnn"

# --- Tags with a meaning defined by MLflow ---

TAG_PARENT_RUN = "mlflow.parentRunId"  #: trial: id of the parent run
TAG_NOTE = "mlflow.note.content"  #: search, at its end: Markdown shown at the top of its page; not read by this project
TAG_COMMIT = "mlflow.source.git.commit"  #: every run: git commit, see `srcnn.tuning.tracking.provenance`
TAG_SOURCE = "mlflow.source.name"  #: every run: name of the command
TAG_USER = "mlflow.user"  #: every run: name of the user
TAG_CONTEXT = "mlflow.data.context"  #: data set of a run: what the run used it for, a value of `CONTEXTS`
#: Training, choices, judging the winner, and measuring after all choices.
CONTEXTS = (CONTEXT_TRAINING, CONTEXT_VALIDATION, CONTEXT_JUDGING, CONTEXT_TEST) = (
    "training",
    "validation",
    "judging",
    "test",
)

# --- Tags of every run, written when it is created ---

TAG_TRIAL = "srcnn.trial"  #: Ray Tune's id of the trial, or `PARENT`
PARENT = "parent"  #: value of `TAG_TRIAL` for a parent run
TAG_PROTOCOL = "protocol"  #: evaluation protocol: ``srcnn``
TAG_DEVICE = "device"  #: GPU of the driver's machine, or its processor and number of cores
TAG_TRAIN_SET = "data.train"  #: name of the training set
TAG_TRAIN_DIGEST = "data.digest"  #: digest of the training set's pixels
TAG_VALIDATION = "data.validation"  #: names of the validation images
TAG_JUDGING = "data.judging"  #: names of the judging images of a search
TAG_LEFT_OUT = LEFT_OUT  #: images that were left out; written and read by `srcnn.overlap.leaks`
TAG_OVERLAP = KEPT  #: images that were kept on request; written and read by `srcnn.overlap.leaks`
_VERSION = "version."  # prefix of the name of a library

# --- Tags of a parent run ---

TAG_SEARCH = "srcnn.search"  #: name of the search or of the table's run
TAG_KIND = "srcnn.kind"  #: `KIND_TABLE`; a run without this tag is a search
KIND_SEARCH, KIND_TABLE = "search", "table"
TAG_CHAMPION = "srcnn.champion"  #: search, at its end: prefix of the tag of a scale, see `champion_tag`
TAG_PAST = "srcnn.past"  #: search that learns from past ones: number of past trials by search, such as ``a (48 trials), b (12)``

# --- Tags of a trial, written by the driver ---

TAG_STAGE = "stage"  #: at its start: name of the stage: ``search``, ``confirm``, ``judge`` or ``table``
#: At its start, only on a lower rung of a confirmation: its number, from 1. The stage is ``confirm``.
TAG_RUNG = "srcnn.rung"
TAG_REFERENCE = "reference"  #: at its start: ``True`` for the paper's network trained with the same budget
TAG_CONFIGURATION = "srcnn.configuration"  #: at its start: name in tables, without the seed
#: At its start: those fields of its `TrainConfig` that are no parameters of the run, as a JSON object of texts.
TAG_FIELDS = "srcnn.fields"
#: Trial that a search registered: address of its version in the model registry, such as ``models:/srcnn-x3/2``.
TAG_REGISTERED = "srcnn.registered"
#: At its end, or while it waits for its turn: a value of `srcnn.tuning.trials.outcome.Outcome`, or one of the next two.
TAG_OUTCOME = "outcome"
OUTCOME_GIVEN = "given"  #: trial of a table: measured, but not trained here (bicubic, the authors' networks)
OUTCOME_ORPHAN = "orphan"  #: set by ``runs.py repair``: Ray Tune has no such trial
TAG_DECISIONS = "srcnn.decisions"  #: what the search decided about it, and why: see `srcnn.tuning.trials.decision`
TAG_FAILURE = "failure"  #: at the end of a failed trial: the error message in one line, for display
TAG_FAILURE_KIND = "failure.kind"  #: likewise, if the trial itself reported the failure: class name of the error
TAG_TRIAL_DEVICE = "trial.device"  #: at its end: ``cpu``, or ``cuda`` with the name of the GPU
TAG_TRIAL_NODE = "trial.node"  #: at its end: Ray's id of the machine
TAG_CELL = "srcnn.cell"  #: trial of a table: digest of configuration and data, which identifies a finished cell
TAG_ROW, TAG_RECIPE = "srcnn.row", "srcnn.recipe"  #: trial of a table: row and recipe of the cell
TAG_LENGTH = "srcnn.length"  #: trial of a table: budget of the cell, in training pixels or epochs

# --- Parameters ---
# A parent run has every field of its settings (`SearchSettings`, `TableSettings`) that is not None, under the field's name. A
# trial has the parameters that its search varies, and the fields of its `TrainConfig` in `SHOWN_FIELDS`; earlier: all fields.
# `srcnn.tuning.tracking.reader.fields_of` returns all of them. Only those that some code reads are listed here.

PARAM_SPACE = "space"  #: search: path of the search space
PARAM_BUDGET = "budget"  #: search: training pixels per trial; table: name of the budget
#: Search: training pixels per trial of a confirmation; ``None``: same as budget.
PARAM_CONFIRM_BUDGET = "confirm_budget"
PARAM_OBJECTIVES = "objectives"  #: search: the objectives, a JSON list (a Python tuple in earlier versions)
PARAM_TRIALS = "trials"  #: search: number of trials
PARAM_SAMPLER, PARAM_SCHEDULER = "sampler", "scheduler"  #: search: their names
PARAM_TRAIN = "train"  #: search: name of the training set, as requested
PARAM_TABLE = "table"  #: table: name of its file, without the extension
PARAM_LEARN_FROM = "learn_from"  #: search: names of past searches that it learns from, a JSON list
PARAM_SEED = "seed"  #: search or trial: its seed
PARAM_SCALE = "scale"  #: trial: upscaling factor
PARAM_PIXELS, PARAM_EPOCH_PIXELS = "pixels", "epoch_pixels"  #: trial: training pixels in total and per epoch
#: Trial: sizes of the kernels, and number of filters of each layer but the last, such as ``9-1-5`` and ``64-32``.
PARAM_KERNELS, PARAM_FILTERS = "kernels", "filters"
PARAM_LEARNING_RATE = "learning_rate"  #: trial: highest learning rate
#: Fields of a `TrainConfig` that are always parameters of a trial: the network, and what differs between the stages of a search.
SHOWN_FIELDS = (PARAM_SCALE, PARAM_KERNELS, PARAM_FILTERS, PARAM_PIXELS, PARAM_SEED)
#: Trial of a table: row and recipe of the cell; the row of bicubic is ``bicubic``.
PARAM_ROW, PARAM_RECIPE = "row", "recipe"

# --- Metrics of a trial, one step per epoch ---
# Written by the driver for every report of the trial. Meanings and units: `srcnn.tuning.trials.report.EpochFigures`.

METRIC_OBJECTIVE = METRIC  #: gain over bicubic on the validation images, divided by the paper's gain
#: Mean PSNR on the validation images and gain over bicubic, in dB.
METRIC_VAL_PSNR, METRIC_VAL_GAIN = "val_psnr", "val_gain"
METRIC_BEST_OBJECTIVE = f"best/{METRIC_OBJECTIVE}"  #: highest value so far
METRIC_BEST_EPOCH = "best/epoch"  #: epoch with the highest validation PSNR so far
#: Highest so far, in dB.
METRIC_BEST_VAL_PSNR, METRIC_BEST_VAL_GAIN = f"best/{METRIC_VAL_PSNR}", f"best/{METRIC_VAL_GAIN}"
METRIC_LOSS = "loss"  #: mean squared error on planes with values in [0, 1]
METRIC_LEARNING_RATE = "learning_rate"
METRIC_PIXELS = "pixels"  #: target pixels so far
METRIC_TRAIN_SECONDS, METRIC_EPOCH_SECONDS, METRIC_CPU_SECONDS = "train_seconds", "epoch_seconds", "cpu_seconds"
METRIC_LATENCY = "latency_ms"  #: latency for an image of 512x512 pixels, in ms; only if latency is an objective
#: At the end of a full trial of a search: worst lead of its network over bicubic on the drawn patterns, in dB.
METRIC_PATTERN_LEAD = "pattern_lead_worst"
#: Of the trial's network, one value: multiply-accumulate operations per pixel of the large image; weights and biases.
METRIC_MACS, METRIC_PARAMETERS = "macs", "parameters"

#: Names of the metrics, by field of `EpochFigures`.
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
    "cpu_seconds": METRIC_CPU_SECONDS,
}

# --- Metrics of a search, without steps ---

METRIC_EXPECTED_SECONDS = "expected_seconds"  #: at its start, if this machine's speed is known: expected wall time
METRIC_TOOK_SECONDS = "took_seconds"  #: at the end of a search that was not resumed: wall time

# --- Figures on test sets, without steps ---
# Written after all choices are made: on a trial's run under ``test/``, on a search's run under ``best/`` and ``champion/``.

PSNR, SSIM = "psnr", "ssim"  #: mean PSNR in dB and mean SSIM in [0, 1] on a set
ARTICLE = "article"  #: mean PSNR as measured in the article, in dB
SECONDS = "seconds"  #: mean time per image on the first set, in seconds
#: Instead of `PSNR` in tables in colour: PSNR of each plane and of all three, in dB.
PLANES = ("Y", "Cb", "Cr", "color")
_TEST = "test/"
_SCALES = {f"x{scale}": scale for scale in (2, 3, 4)}

# --- Artifacts ---

ARTIFACT_CHECKPOINT = "checkpoint"  #: trial: folder of its network, written at its end
ARTIFACT_NETWORK = f"{ARTIFACT_CHECKPOINT}/network.safetensors"  #: trial: the network of its best epoch
ARTIFACT_CONFIG = "config.yaml"  #: trial: its whole `TrainConfig`, for people; not read by this project
ARTIFACT_MODEL = (
    "model"  #: trial that a search registered: its network as an MLflow model, see `srcnn.tuning.tracking.image_model`
)
ARTIFACT_REPORT = "report"  #: parent run: folder of its report, written by ``report.py``
ARTIFACT_SPACE = "space.yaml"  #: search, at its end: copy of the search space
ARTIFACT_LEADERBOARD = "leaderboard.csv"  #: search, at its end: all trials; not read by this project
ARTIFACT_VERDICTS = "verdicts.json"  #: search, at its end: see `srcnn.tuning.trials.verdict`
ARTIFACT_CONFIRMED = "confirmed.csv"  #: search, at its end: the figures of `ARTIFACT_VERDICTS` as a table for people
ARTIFACT_FRONT = "pareto.csv"  #: search with several objectives, at its end: the trials on the Pareto front
ARTIFACT_FRONT_PICTURE = "pareto.png"  #: search with several objectives, at its end: plot of the Pareto front
#: Search, at its end: folder with pictures of the champions, and in the folder of a scale the file with the list of them.
ARTIFACT_PICTURES, ARTIFACT_PICTURE_LIST = "pictures", "pictures.json"
ARTIFACT_OVERLAP = "overlap.json"  #: search, at its end: the complete lists of leaks, left out and kept
ARTIFACT_TABLE = "table.yaml"  #: table, at its start: copy of its file
ARTIFACT_CELLS = "cells.json"  #: table, at its start: digests of the cells in the latest request

# --- Model registry, written when a search registers the winner of a scale ---

ALIAS_CHAMPION = "champion"  #: alias of the version that holds the title: no later winner has beaten it
MODEL_SEARCH, MODEL_CONFIGURATION = "search", "configuration"  #: tags of a version: its search and its configuration
MODEL_SEEDS = "seeds"  #: tag of a version: number of seeds behind its figures
MODEL_VALIDATION_GAIN = "validation.gain"  #: tag of a version: mean validation gain over the choosing seeds, in dB
MODEL_JUDGING_GAIN = "judging.gain"  #: tag of a version: mean judging gain with its 95 % interval, in dB; not read back
#: Tags of a version: ids of the runs of its search and of its trial, which link back to where it came from.
MODEL_SEARCH_RUN, MODEL_TRIAL_RUN = "search.run", "trial.run"
MODEL_VALIDATION, MODEL_JUDGING = "validation.images", "judging.images"  #: tags of a version: JSON lists of names


def registered_model(scale: int) -> str:
    """Return the name of a scale's model in the model registry, such as ``srcnn-x3``."""
    return f"srcnn-x{scale}"


def champion_tag(scale: int) -> str:
    """Return the name of a search's tag with the address of its registered champion of a scale, such as ``srcnn.champion.x3``."""
    return f"{TAG_CHAMPION}.x{scale}"


def param_text(value: object) -> str:
    """Return the text of a setting for a parameter of a parent run. Lists become JSON, so that they can be parsed."""
    return json.dumps(list(value)) if isinstance(value, tuple | list) else str(value)


def valid_metric(name: str) -> str:
    """Return a valid MLflow metric name. The given name may contain the name of a test set, which can be any folder name."""
    parts = (part for part in name.split("/") if part not in ("", ".", ".."))
    return re.sub(r"[^\w\-. :/]", "_", "/".join(parts))


def set_titles(sets: Iterable[str]) -> dict[str, str]:
    """Return short names of image sets for names of metrics: a folder by as many last parts of its path as make it unique.

    Names of sets that are no paths, such as ``Set5`` and ``sample/test``, remain.
    """
    given = list(dict.fromkeys(sets))
    taken = {name for name in given if not _is_path(name)}
    titles = {name: name for name in taken}
    for name in given:
        parts = [part for part in name.split("/") if part not in ("", ".", "..", "~")]
        if name in titles or not parts:
            titles.setdefault(name, name)
            continue
        title = next(("/".join(parts[-n:]) for n in range(1, len(parts)) if "/".join(parts[-n:]) not in taken), None)
        titles[name] = title or "/".join(parts)
        taken.add(titles[name])
    return titles


def _is_path(name: str) -> bool:
    return name.startswith(("/", "~", "./", "../"))


def version_tag(library: str) -> str:
    """Return the name of the tag with a library's version, such as ``version.torch``. Every run has these tags."""
    return f"{_VERSION}{library}"


def versions(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the library versions in a run's tags, by library in alphabetical order."""
    return {name.removeprefix(_VERSION): tags[name] for name in sorted(tags) if name.startswith(_VERSION)}


def epoch_metrics(figures: EpochFigures) -> dict[str, float]:
    """Return the metrics of one epoch; figures that were not measured are omitted."""
    return {EPOCH_METRICS[field]: value for field, value in figures.known.items()}


@dataclass(frozen=True)
class SetFigure:
    """Name of a figure on a test set, such as ``Set5/x3/psnr``, or on one of its images, such as ``Set5/x3/psnr/baby``."""

    images: str  #: name of the test set, which may contain slashes
    scale: int  #: upscaling factor
    kind: str = PSNR  #: `PSNR`, `SSIM`, `ARTICLE`, `SECONDS` or one of `PLANES`
    image: str = ""  #: name of one image; empty: the mean over the set

    def __str__(self) -> str:
        return f"{self.images}/x{self.scale}/{self.kind}" + (f"/{self.image}" if self.image else "")

    @classmethod
    def parse(cls, text: str) -> SetFigure:
        """Parse the name of a figure.

        Raises:
            ValueError: the name contains no scale followed by a kind of figure.
        """
        parts = text.split("/")
        for i in range(1, len(parts) - 1):
            if parts[i] in _SCALES:
                return cls("/".join(parts[:i]), _SCALES[parts[i]], parts[i + 1], "/".join(parts[i + 2 :]))
        raise ValueError(f"{text!r}: must be SET/xSCALE/FIGURE or SET/xSCALE/FIGURE/IMAGE")


def set_metric(figure: SetFigure | str) -> str:
    """Return the metric name of a trial's figure on a test set, such as ``test/Set5/x3/psnr``."""
    return f"{_TEST}{figure}"


def set_figures(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return a trial's figures on test sets, by the text of a `SetFigure`."""
    return {name.removeprefix(_TEST): float(metrics[name]) for name in metrics if name.startswith(_TEST)}


def best_metric(scale: int, figure: str, images: str = "") -> str:
    """Return the metric name for a search's best trial at a scale, such as ``best/x3/val_gain`` or ``best/x3/Set5/psnr``."""
    return "/".join(("best", f"x{scale}", *[images] * bool(images), figure))


CHAMPION_VAL_GAIN = METRIC_VAL_GAIN  #: mean gain of the choosing seeds on the validation images, in dB
#: Mean gain on the judging images, and the limits of its 95 % interval, in dB.
CHAMPION_GAIN, CHAMPION_LOW, CHAMPION_HIGH = ("gain", "gain_low", "gain_high")


def champion_metric(scale: int, figure: str, images: str = "") -> str:
    """Return the metric name for a search's winner at a scale, such as ``champion/x3/gain`` or ``champion/x3/Set5/psnr``."""
    return "/".join(("champion", f"x{scale}", *[images] * bool(images), figure))
