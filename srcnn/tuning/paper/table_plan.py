"""`plan_table`: a table with its images and settings, loaded and validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import torch
from pydantic import Field, field_validator, model_validator

from srcnn.champions.start import StartNetwork, checked, kept_line, refusal, seen
from srcnn.config.strict import Strict
from srcnn.errors import ConfigError, DataError, unknown_name
from srcnn.model.shared_layers import check_shared, shapes_of
from srcnn.overlap.leaks import Leak
from srcnn.system.folders import typed_path
from srcnn.system.gpu import gpu_count
from srcnn.system.passwords import without_password
from srcnn.training.memory import check_step
from srcnn.tuning.paper.table import BUDGETS, Budget, Cell, Table, cells, load_table, table_files
from srcnn.tuning.paper.table_images import TableImages, table_images
from srcnn.tuning.space.shipped_spaces import readable
from srcnn.tuning.tracking.registry import read_start

__all__ = ["TablePlan", "TableSettings", "plan_table"]

_REPORTS = {"smoke": 2, "cpu": 20, "long": 40, "paper": 100}


class TableSettings(Strict):
    """Settings for reproducing a table."""

    table: str = Field(min_length=1, description="a table of search_spaces/paper, or a YAML file of your own")
    budget: str = Field("cpu", description=f"training budget: {', '.join(BUDGETS)}")
    seeds: int | None = Field(None, ge=1, le=1000, description="number of seeds; none: that of the table")
    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        description="name of the parent run in MLflow; none: table and budget",
    )
    gpus_per_trial: float | None = Field(None, ge=0, le=1024, description="GPUs per run; none: 1 if there are any")
    cpus_per_trial: int = Field(1, ge=1, le=1024, description="CPU cores (and threads) per run")
    max_concurrent: int | None = Field(
        None, ge=1, le=100_000, description="maximum number of concurrent runs; none: as many as fit"
    )
    stall_limit: float | None = Field(
        None,
        gt=0,
        le=3.2e8,
        description="seconds without a report after which a run is killed as hanging; none: as in a search",
    )
    tracking_uri: str = Field("sqlite:///mlruns/mlflow.db", min_length=1, description="MLflow store")
    storage: str = Field("mlruns/ray", min_length=1, description="folder of the checkpoints and the state of the runs")
    address: str | None = Field(None, description="Ray cluster to use; none: this machine")
    data_root: str | None = Field(
        None, min_length=1, description="folder of the data sets; none: $SRCNN_DATA, else data"
    )
    allow_overlap: bool = Field(
        False, description="keep training images that show a test or validation image, and mark the results"
    )

    @field_validator("tracking_uri")
    @classmethod
    def _without_password(cls, uri: str) -> str:
        return without_password(uri)  # settings are saved, logged and shown

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.budget not in BUDGETS:
            raise ValueError(unknown_name("budget", self.budget, BUDGETS))
        return self


@dataclass(frozen=True)
class TablePlan:
    """A validated table that is ready to run."""

    settings: TableSettings
    path: Path
    table: Table
    budget: Budget
    images: TableImages
    cells: tuple[Cell, ...]
    starts: Mapping[str, StartNetwork] = field(default_factory=dict)  #: networks that rows start from, by name
    warnings: tuple[str, ...] = ()  #: about the images that these were trained on

    @property
    def name(self) -> str:
        """Name of the parent run in MLflow."""
        return self.settings.name or f"{self.path.stem}-{self.settings.budget}"

    @property
    def leaks(self) -> tuple[tuple[Leak, ...], tuple[Leak, ...]]:
        """Leaks of all rows: (left out, kept in some row)."""
        sides = list(dict.fromkeys(map(self.images.of, self.cells)))
        left_out = (*self.images.left_out, *(leak for side in sides for leak in side.left_out))
        return tuple(dict.fromkeys(left_out)), tuple(dict.fromkeys(leak for side in sides for leak in side.kept))

    @property
    def folder(self) -> Path:
        """Folder of the checkpoints and the state."""
        return typed_path(self.settings.storage, "storage").resolve() / self.name

    def key(self, cell: Cell) -> str:
        """Return the digest that identifies a cell."""
        return cell.key(self.images.of(cell).images, self.images.validation)


def plan_table(settings: TableSettings) -> TablePlan:
    """Load and validate everything before anything is started or written.

    Raises:
        SRCNNError: the table, the budget or the data breaks a rule.
    """
    known = table_files()
    path = known.get(settings.table, readable(Path(settings.table)))
    if not path.exists():  # the reader names what else it may be
        raise ConfigError(unknown_name("table", settings.table, [*known, "all"]))
    table = load_table(path)
    if settings.budget not in table.budgets:
        raise ConfigError(f"budget: must be one of {', '.join(table.budgets)} for {path}, but got {settings.budget!r}")
    budget = table.budgets[settings.budget]
    root = typed_path(settings.data_root, "data_root") if settings.data_root else None
    images = table_images(table, budget, root, allow_overlap=settings.allow_overlap)
    overlapping = [name for name, one in images.overlapping.items() if settings.allow_overlap and one.kept]
    found = cells(table, budget, settings.seeds or budget.seeds, _REPORTS[settings.budget], overlapping)
    starts = _starts(found, settings)
    found = [_begun(cell, starts) for cell in found]
    about = _warnings(table, images, found, starts, allow_overlap=settings.allow_overlap)
    if settings.address is None and not gpu_count():  # a GPU is left to its worker, which checks too
        for cell in found:
            check_step(cell.config, torch.device("cpu"))
    return TablePlan(settings, path, table, budget, images, tuple(found), starts, about)


def _starts(found: Sequence[Cell], settings: TableSettings) -> dict[str, StartNetwork]:
    """Return the networks that cells start from, by name; each is read once."""
    names = dict.fromkeys(cell.config.start for cell in found if cell.config.start != "random")
    return {name: read_start(settings.tracking_uri, name) for name in names}


def _begun(cell: Cell, starts: Mapping[str, StartNetwork]) -> Cell:
    """Return a cell with the digest of the network that it starts from.

    Raises:
        ConfigError: the network is another one than its row wants, or has no layer of the cell's network.
    """
    start = starts.get(cell.config.start)
    if start is None:
        return cell
    try:
        checked(start, cell.config.start_digest)
        check_shared(cell.config, shapes_of(start.weights), start.name)
    except ConfigError as error:
        raise ConfigError(f"rows: {cell.row!r} with recipe {cell.recipe!r} at x{cell.scale}: {error}") from None
    return replace(cell, config=cell.config.replace(start_digest=start.digest))


def _warnings(
    table: Table, images: TableImages, found: Sequence[Cell], starts: Mapping[str, StartNetwork], *, allow_overlap: bool
) -> tuple[str, ...]:
    """Return warnings about the images that start networks were trained on, one sentence each.

    Raises:
        DataError: a network was trained on an image that the table measures, and its row does not allow that.
    """
    lines: dict[str, None] = {}
    pool, tests = images.pool, [one.name for one in images.test]
    for cell in found:
        start = starts.get(cell.config.start)
        if start is None:
            continue
        about = seen(start, pool, [name for name, _ in images.validation.images], tests)
        if about.images and not (allow_overlap or table.row(cell.row).allow_overlap):
            raise DataError(f"rows: {cell.row!r}: {refusal(start, about.images)}")
        if about.images:
            lines[kept_line(start, about.images)] = None
        lines |= dict.fromkeys(about.doubts)
    return tuple(lines)
