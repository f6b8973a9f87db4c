"""A table with its images and settings, ready to run: `plan_table`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from srcnn.config.strict import Strict
from srcnn.errors import ConfigError, unknown_name
from srcnn.overlap.leaks import Leak
from srcnn.tuning.paper.table import BUDGETS, Budget, Cell, Table, cells, load_table, table_files
from srcnn.tuning.paper.table_images import TableImages, table_images

__all__ = ["TablePlan", "TableSettings", "plan_table"]

_REPORTS = {"smoke": 2, "cpu": 20, "paper": 100}


class TableSettings(Strict):
    """A table to be reproduced."""

    table: str = Field(description="a table of search_spaces/paper, or a YAML file of your own")
    budget: str = Field("cpu", description=f"how long cells are trained: {', '.join(BUDGETS)}")
    seeds: int | None = Field(None, ge=1, description="runs of each cell; none: the table's")
    name: str | None = Field(None, description="of the parent run; none: table and budget")
    gpus_per_trial: float | None = Field(None, ge=0, description="GPUs of one run; none: 1 if there are any")
    cpus_per_trial: int = Field(1, ge=1, description="CPU cores, and threads, of one run")
    max_concurrent: int | None = Field(None, ge=1, description="runs at a time; none: as many as fit")
    stall_limit: float | None = Field(
        None, gt=0, description="seconds without a report after which a run counts as hanging; none: as in a search"
    )
    tracking_uri: str = Field("sqlite:///mlruns/mlflow.db", description="MLflow store")
    storage: str = Field("mlruns/ray", description="folder for checkpoints and the state of the runs")
    address: str | None = Field(None, description="Ray cluster to join; none: this machine alone")
    data_root: str | None = Field(None, description="folder of the data sets; none: $SRCNN_DATA, else data")
    allow_overlap: bool = Field(
        False, description="train on images that show a test or validation image too, and mark the figures"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.budget not in BUDGETS:
            raise ValueError(unknown_name("budget", self.budget, BUDGETS))
        return self


@dataclass(frozen=True)
class TablePlan:
    """A table that passed every check."""

    settings: TableSettings
    path: Path
    table: Table
    budget: Budget
    images: TableImages
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """Of the parent run."""
        return self.settings.name or f"{self.path.stem}-{self.settings.budget}"

    @property
    def leaks(self) -> tuple[tuple[Leak, ...], tuple[Leak, ...]]:
        """Images that show what is measured, of all rows: (left out, kept by some)."""
        sides = list(dict.fromkeys(map(self.images.of, self.cells)))
        left_out = (*self.images.left_out, *(leak for side in sides for leak in side.left_out))
        return tuple(dict.fromkeys(left_out)), tuple(dict.fromkeys(leak for side in sides for leak in side.kept))

    @property
    def folder(self) -> Path:
        """Of the checkpoints and the state."""
        return Path(self.settings.storage).expanduser().resolve() / self.name

    def key(self, cell: Cell) -> str:
        """The digest by which a cell is known."""
        return cell.key(self.images.of(cell).images, self.images.validation)


def plan_table(settings: TableSettings) -> TablePlan:
    """Load and check everything before anything is started or written.

    Raises:
        SRCNNError: the table, the budget or the data breaks a rule.
    """
    known = table_files()
    path = known.get(settings.table, Path(settings.table))
    if not path.is_file():
        raise ConfigError(unknown_name("table", settings.table, [*known, "all"]))
    table = load_table(path)
    if settings.budget not in table.budgets:
        raise ConfigError(f"budget: {path} has {', '.join(table.budgets)}, but got {settings.budget!r}")
    budget = table.budgets[settings.budget]
    root = Path(settings.data_root) if settings.data_root else None
    images = table_images(table, budget, root, allow_overlap=settings.allow_overlap)
    overlapping = [name for name, one in images.overlapping.items() if settings.allow_overlap and one.kept]
    found = cells(table, budget, settings.seeds or budget.seeds, _REPORTS[settings.budget], overlapping)
    return TablePlan(settings, path, table, budget, images, tuple(found))
