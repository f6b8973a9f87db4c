"""`SearchSettings`: all settings of a search as immutable data, from the command line, and their file for resuming."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from srcnn.config.quantities import counted
from srcnn.config.strict import Strict
from srcnn.config.training import MOST_PIXELS
from srcnn.errors import ConfigError, SearchError, unknown_name
from srcnn.system.atomic_file import atomic_write
from srcnn.system.bounded_read import read_text
from srcnn.system.folder_lock import LOCK_FILE
from srcnn.system.folders import typed_path
from srcnn.system.leftovers import WRITING
from srcnn.system.passwords import without_password
from srcnn.tuning.algorithms.method_names import FREEZE_THAW, SAMPLERS, SCHEDULERS
from srcnn.tuning.trials.objective import OBJECTIVES
from srcnn.tuning.trials.past import ALL, PastTrial, past_from, past_json

__all__ = [
    "SearchSettings",
    "default_name",
    "has_begun",
    "keep_past",
    "kept_past",
    "load_settings",
    "parse_duration",
    "save_settings",
    "saved_searches",
]

_AUTO = "auto"  # the scheduler that fits the number of objectives; the ladder that fits the budgets
_MOST_RUNGS = 4  # each rung starts its workers anew
_FILE = "search.json"
# Bounds far above any use. A trial costs most of a second besides its training, so the most trials take a day on one core.
_MOST_TRIALS, _MOST_AGAIN, _MOST_CORES = 100_000, 1000, 1024
_LONGEST_TIME = 10 * 365 * 86400.0  # seconds
_LONGEST_NAME = 100  # characters: it becomes part of the names of files, which may have 255 bytes
_PAST = "past.json"  # the past trials that the search learns from
_PAST_SIZE = 64 << 20  # maximum size of the past trials in bytes; a thousand trials have 1 MB
_DURATION = re.compile(r"^(?:(\d+(?:\.\d*)?)h)?(?:(\d+(?:\.\d*)?)m)?(?:(\d+(?:\.\d*)?)s?)?$", re.ASCII)
_MAY_CHANGE = (
    "trials",
    "address",
    "stall_limit",
    "data_root",
    "system_metrics",
)  # settings that may change when a search is resumed


class SearchSettings(Strict):
    """Settings of a search."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=_LONGEST_NAME,
        description="name of the search, used in reports and by --resume",
    )
    trials: int = Field(
        50, ge=1, le=_MOST_TRIALS, description="total number of trials, including those before a resume"
    )
    space: str = Field("search_spaces/default.yaml", min_length=1, description="search space, a YAML file")
    train: str = Field(
        "sample/train", min_length=1, description="training images: name of a set or a folder; several joined by +"
    )
    validation: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="number of training images held out for choosing; none: a tenth, at least 6 and at most 12",
    )
    judging: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="number of further images held out for judging the winner after the choice; none: a tenth, at least 4 and "
        "at most 12",
    )
    test: tuple[str, ...] = Field(("sample/test",), description="test sets, measured after the choice")
    scales: tuple[int, ...] | None = Field(None, description="scales to search; none: those of the space")
    max_parameters: float | None = Field(
        None, gt=0, description="maximum number of weights and biases of a network; none: that of the space"
    )
    budget: float = Field(8e6, gt=0, le=MOST_PIXELS, description="training pixels of one full trial, such as 8M")
    sampler: str = Field("curves", description=f"suggests configurations: {', '.join(SAMPLERS)}")
    scheduler: str = Field(
        _AUTO,
        description=f"pauses or stops weak trials: {', '.join(SCHEDULERS)}; {_AUTO}: asha; none for several objectives",
    )
    objectives: tuple[str, ...] = Field(
        ("gain",), description=f"objectives, several for a Pareto front: {', '.join(OBJECTIVES)}"
    )
    enqueue: tuple[str, ...] | None = Field(
        None,
        description="configurations to run first: paper, article, or a YAML file with a list of parameter values; "
        "if not given: paper and article, as far as the space contains their networks",
    )
    learn_from: tuple[str, ...] = Field(
        (),
        description=f"past searches to learn from, whose trials lie in the space: names, or {ALL}: every ended search",
    )
    confirm: bool = Field(True, description="train the best configurations again with new seeds before the choice")
    best: int = Field(3, ge=1, le=_MOST_AGAIN, description="number of configurations per scale to confirm")
    choice_seeds: int = Field(
        2, ge=1, le=_MOST_AGAIN, description="new seeds per configuration for choosing the winner"
    )
    confirm_seeds: int = Field(
        3, ge=2, le=_MOST_AGAIN, description="further new seeds of the winner and the paper's network for judging"
    )
    confirm_budget: float | None = Field(
        None, gt=0, le=MOST_PIXELS, description="training pixels of a confirmation trial; none: as in the search"
    )
    ladder: str = Field(
        _AUTO,
        description="finalists per scale in each lower rung of the confirmation, such as 9,5: each trains with a third of the "
        "next rung's budget; none: no lower rungs; auto: two rungs if the confirmation budget is at least 9 times the budget, "
        "one if at least 3 times",
    )
    time_budget: float | None = Field(
        None, gt=0, le=_LONGEST_TIME, description="time after which no trial continues, in seconds or such as 2h or 30m"
    )
    gpus_per_trial: float | Literal["auto"] | None = Field(
        None,
        description="GPUs per trial; none: 1 if there are any; auto: as many trials per GPU as fit into its memory, measured",
    )
    cpus_per_trial: int = Field(1, ge=1, le=_MOST_CORES, description="CPU cores (and threads) per trial")
    max_concurrent: int | None = Field(
        None, ge=1, le=_MOST_TRIALS, description="maximum number of concurrent trials; none: as many as fit"
    )
    stall_limit: float | None = Field(
        None,
        gt=0,
        le=_LONGEST_TIME,
        description="seconds without a report after which a trial is killed as hanging and restarted once; none: "
        "an hour for the first report, then twenty times its longest epoch, at least ten minutes",
    )
    seed: int = Field(123, ge=0, lt=2**31, description="random seed of the sampler, the split and every trial")
    tracking_uri: str = Field("sqlite:///mlruns/mlflow.db", min_length=1, description="MLflow store")
    system_metrics: bool = Field(
        False, description="log the use of the driver's machine (processor, memory, disk, network) to MLflow"
    )
    storage: str = Field(
        "mlruns/ray", min_length=1, description="folder of the checkpoints and the state of the search"
    )
    address: str | None = Field(
        None,
        description="Ray cluster: auto or HOST:PORT on one of its machines, ray://HOST:PORT from elsewhere; none: this machine",
    )
    data_root: str | None = Field(None, description="folder of the data sets; none: $SRCNN_DATA, else data")
    skip_bad: bool = Field(False, description="skip corrupt image files instead of stopping with an error")
    allow_overlap: bool = Field(
        False, description="keep training and validation images that show a test image, and mark the results"
    )
    allow_artefacts: bool = Field(
        False,
        description="also choose a network that is far behind bicubic on a drawn pattern of full contrast, as on text or grids",
    )

    @field_validator("tracking_uri")
    @classmethod
    def _without_password(cls, uri: str) -> str:
        return without_password(uri)  # settings are saved, logged and shown

    @model_validator(mode="after")
    def _check(self) -> Self:
        for scale in self.scales or ():
            if not 2 <= scale <= 4:
                raise ValueError(f"scale: must be 2, 3 or 4, but got {scale}")
        for field, known in (("sampler", SAMPLERS), ("scheduler", (*SCHEDULERS, _AUTO))):
            if (value := getattr(self, field)) not in known:
                raise ValueError(unknown_name(field, value, known))
        self._check_past()
        self._check_objectives()
        if "://" in self.storage:
            raise ValueError(
                "storage: must be a folder that all machines can access (a bucket can be mounted as one), "
                f"but got {self.storage!r}"
            )
        if self.is_remote:
            local = self.tracking_uri.startswith("sqlite:///") and not self.tracking_uri.startswith("sqlite:////")
            for field, relative in (("storage", not Path(self.storage).is_absolute()), ("tracking_uri", local)):
                if relative:
                    raise ValueError(
                        f"{field}: with {self.address} it must be valid on this machine and on the cluster, "
                        f"but got {getattr(self, field)}"
                    )
        self._check_sizes()
        gpus = self.gpus_per_trial
        if isinstance(gpus, float) and (not 0 <= gpus <= _MOST_CORES or (gpus > 1 and gpus % 1)):
            raise ValueError(
                f"gpus_per_trial: must be auto, a number from 0 to 1, or a larger whole number up to {_MOST_CORES}, "
                f"but got {gpus}"
            )
        return self

    def _check_sizes(self) -> None:
        for field in ("test", "enqueue", "learn_from"):
            if any(not part for part in getattr(self, field) or ()):
                raise ValueError(f"{field}: no name may be empty, but got {','.join(getattr(self, field))!r}")
        if not self.test:
            raise ValueError("test: must name at least one set, but got none")
        if self.data_root is not None and not self.data_root.strip():
            raise ValueError(f"data_root: must be a folder, but got {self.data_root!r}")
        most = self.best * (self.choice_seeds + self.confirm_seeds)
        if self.confirm and most > _MOST_TRIALS:
            raise ValueError(
                f"best: best * (choice_seeds + confirm_seeds), the confirmations of a scale, must be at most {_MOST_TRIALS}, "
                f"but got {self.best} * ({self.choice_seeds} + {self.confirm_seeds})"
            )

    def _check_past(self) -> None:
        if ALL in self.learn_from and len(self.learn_from) > 1:
            raise ValueError(
                f"learn_from: must be names of searches, or {ALL} alone, but got {','.join(self.learn_from)}"
            )
        if self.name in self.learn_from:
            raise ValueError(f"learn_from: must name other searches, but got {self.name}, the search itself")
        if self.learn_from and len(self.objectives) > 1:
            raise ValueError("learn_from: must go with one objective, but got several")
        if self.learn_from and self.sampler != "curves" and self.stopping != FREEZE_THAW:
            raise ValueError(
                f"learn_from: must go with the sampler curves or the scheduler {FREEZE_THAW}, whose model learns from past "
                f"searches, but got the sampler {self.sampler!r}"
            )

    def _check_objectives(self) -> None:
        for name in self.objectives:
            if name not in OBJECTIVES:
                raise ValueError(unknown_name("objective", name, list(OBJECTIVES)))
        if self.objectives[:1] != ("gain",) or len(set(self.objectives)) != len(self.objectives):
            raise ValueError(
                f"objectives: must begin with gain and contain each name once, but got {','.join(self.objectives)}"
            )
        if self.stopping == FREEZE_THAW and self.sampler == "grid":
            raise ValueError(
                "scheduler: must be asha, hyperband, median or none with the sampler grid, but got 'freeze-thaw'"
            )
        if len(self.objectives) > 1:
            if self.stopping != "none":
                raise ValueError(
                    f"scheduler: must be none with several objectives, because a small network with a small gain may be on "
                    f"the front, but got {self.scheduler!r}"
                )
            if self.sampler == "cmaes":
                raise ValueError("sampler: must be tpe, gp, random or grid with several objectives, but got 'cmaes'")

    @model_validator(mode="after")
    def _check_ladder(self) -> Self:
        if self.ladder in (_AUTO, "none"):
            return self
        rule = "ladder: must be auto, none, or whole numbers joined by commas, such as 9,5"
        if not re.fullmatch(r"[0-9]{1,6}(,[0-9]{1,6})*", self.ladder):
            raise ValueError(f"{rule}, but got {self.ladder!r}")
        given = [*map(int, self.ladder.split(","))]
        if len(given) > _MOST_RUNGS:
            raise ValueError(f"ladder: must have at most {_MOST_RUNGS} numbers, but got {self.ladder!r}")
        if any(more <= fewer for more, fewer in pairwise([*given, self.best])):
            raise ValueError(
                f"ladder: each number must be greater than the next, and the last greater than best, {self.best}, but got "
                f"{self.ladder!r}"
            )
        if not self.confirm:
            raise ValueError(f"ladder: must be auto or none without a confirmation, but got {self.ladder!r}")
        return self

    @property
    def rungs(self) -> tuple[int, ...] | None:
        """Finalists per scale in each lower rung of the confirmation, as given; None: ``auto``."""
        if self.ladder == _AUTO:
            return None
        return () if self.ladder == "none" else tuple(map(int, self.ladder.split(",")))

    @property
    def stopping(self) -> str:
        """The scheduler, with the default resolved."""
        if self.scheduler != _AUTO:
            return self.scheduler
        return "none" if len(self.objectives) > 1 else "asha"

    @property
    def is_remote(self) -> bool:
        """Whether the search runs on a cluster that does not include this machine."""
        return (self.address or "").startswith("ray://")

    @property
    def gpu_share(self) -> float:
        """GPUs per trial on a machine with GPUs; 1 for ``auto`` before the measurement."""
        return 1.0 if self.gpus_per_trial in (None, "auto") else float(self.gpus_per_trial or 0.0)

    @property
    def folder(self) -> Path:
        """Folder of the state of the search."""
        return typed_path(self.storage, "storage").resolve() / self.name


def parse_duration(text: str) -> float:
    """Convert ``2h``, ``30m``, ``1h30m`` or ``90s`` to seconds; a plain number is in seconds.

    Raises:
        ConfigError: the text is not such a time.
    """
    match = _DURATION.match(text.strip())
    parts = [float(part or 0) for part in match.groups()] if match else [0.0]
    seconds = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    if not seconds:
        raise ConfigError(f"time_budget: must be a time such as 2h, 30m, 1h30m or 90s, but got {text!r}")
    return seconds


def default_name(space: str, train: str) -> str:
    """Return the default name of a search: space, data and time."""
    parts = [Path(space).stem, re.sub(r"[^A-Za-z0-9]+", "-", train).strip("-").lower()[-24:].strip("-")]
    return "-".join([*filter(None, parts), datetime.now().strftime("%Y%m%d-%H%M%S")])


def save_settings(settings: SearchSettings) -> None:
    """Write the settings to the folder of the search.

    Raises:
        SearchError: the folder cannot be written.
    """
    try:
        with atomic_write(settings.folder / _FILE) as file:
            file.write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SearchError(f"storage: {settings.folder} cannot be written ({error.strerror})") from None


def keep_past(settings: SearchSettings, past: Sequence[PastTrial]) -> None:
    """Write the past trials to the folder of the search, unless it has some: a search learns from what it began with.

    Raises:
        SearchError: the folder cannot be written.
    """
    file = settings.folder / _PAST
    if file.exists() or not settings.learn_from:
        return
    try:
        with atomic_write(file) as new:
            new.write_text(past_json(past), encoding="utf-8")
    except OSError as error:
        raise SearchError(f"storage: {settings.folder} cannot be written ({error.strerror})") from None


def kept_past(settings: SearchSettings) -> tuple[PastTrial, ...] | None:
    """Return the past trials that a search has kept in its folder; None: it has not started, or learns from nothing.

    Raises:
        SearchError: the file is damaged or cannot be read.
    """
    file = settings.folder / _PAST
    if not settings.learn_from or not file.exists():
        return None
    try:
        return past_from(read_text(file, _PAST_SIZE), str(file))
    except OSError as error:
        raise SearchError(f"learn_from: {file} cannot be read ({error.strerror})") from None


def saved_searches(storage: str) -> list[str]:
    """Return the names of the searches in a storage folder, the most recent first."""
    files = typed_path(storage, "storage").resolve().glob(f"*/{_FILE}")
    return [file.parent.name for file in sorted(files, key=lambda f: f.stat().st_mtime, reverse=True)]


def has_begun(folder: Path) -> bool:
    """Return whether a search has its folder; not if it was stopped before its settings were written there."""
    if not folder.is_dir():
        return folder.exists()
    return any(not entry.name.startswith(WRITING) and entry.name != LOCK_FILE for entry in folder.iterdir())


def load_settings(name: str | None, storage: str, changes: Mapping[str, Any]) -> SearchSettings:
    """Load the settings of a search to resume.

    Args:
        name: name of the search; None: the most recent one.
        storage: folder of the searches.
        changes: settings given again. The number of trials may increase, with it the time budget, and the settings in
            `_MAY_CHANGE` may differ; all others must equal the saved ones.

    Raises:
        SearchError: there is no such search.
        ConfigError: a setting differs from the saved one.
    """
    known = saved_searches(storage)
    if not known or (name is not None and name not in known):
        if not known:
            raise SearchError(f"resume: there is no search in {storage}" + (f", so not {name!r}" if name else ""))
        raise SearchError(f"resume: no search {name!r} in {storage}; there are: {', '.join(known)}")
    file = typed_path(storage, "storage").resolve() / (name or known[0]) / _FILE
    saved = SearchSettings.from_json(read_text(file))
    asked = saved.replace(**changes)
    for field in SearchSettings.model_fields:
        before, now = getattr(saved, field), getattr(asked, field)
        if field == "trials" and now < before:
            raise ConfigError(f"trials: the total of {saved.name} must be at least {before}, but got {now}")
        if field == "time_budget" and before is not None and before != now:
            # With the trials of before, the confirmation would be that of before too.
            if now is None or now < before or asked.trials == saved.trials:
                shown = "none" if now is None else f"{now:.0f} s"
                raise ConfigError(
                    f"time_budget: may only grow in a resumed search, and only with more trials; {saved.name} has {before:.0f} s "
                    f"and {counted(saved.trials, 'trial')}, but got {shown} and {asked.trials}"
                )
            continue
        if before != now and field not in _MAY_CHANGE:
            raise ConfigError(
                f"{field}: must not change in a resumed search; {saved.name} has {before!r}, but got {now!r}"
            )
    return asked
