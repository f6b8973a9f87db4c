"""Data of a paper's table for its report, read from MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from numpy.typing import NDArray

from srcnn.config.architecture import ModelConfig
from srcnn.config.quantities import counted
from srcnn.errors import SearchError
from srcnn.overlap.leaks import Leak, read_tags
from srcnn.system.invocation import command
from srcnn.tuning.adapters.mlflow_internals import run_address
from srcnn.tuning.paper.claims import LEARNT, LEARNT_ELSEWHERE, Verdict, judge
from srcnn.tuning.paper.table import SAMPLE, Budget, Table, load_table
from srcnn.tuning.report.data.search_data import curve_of, network_of, web_pages
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.provenance import short_commit
from srcnn.tuning.tracking.reader import artifact_text, children_of, fields_of, open_store, reading
from srcnn.tuning.trials.objective import PAPER_GAIN
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["BICUBIC", "TableData", "Trained", "figure_name", "gather_table", "paper_name"]

BICUBIC = "bicubic"
_KINDS = {names.PSNR: "PSNR", names.ARTICLE: "PSNR as the article measures"}  # the others are called as they are
_PRINTED = ("Set5", "Set14")  # sets for which the papers print the network's gain


@dataclass(frozen=True)
class Trained:
    """One training for a cell of a table."""

    run_id: str
    name: str
    row: str
    recipe: str
    scale: int
    length: float  #: budget in training pixels or epochs
    seed: int
    outcome: Outcome
    failure: str
    metrics: Mapping[str, float]  #: figures on test sets, by their names in tables
    seconds: float  #: training time
    network: ModelConfig | None  #: architecture; None: it has fields unknown to this version
    curve: tuple[tuple[float, float], ...]  #: (training pixels, validation gain over bicubic in dB) after each epoch
    kept: tuple[Leak, ...] = ()  #: leaks: training images that show images of the test sets


@dataclass(frozen=True)
class TableData:
    """Data of one run of a table in its store."""

    name: str
    run_id: str
    experiment_id: str
    status: str
    uri: str
    ui: str  #: address of MLflow's web pages; empty: a report without links to runs
    table: Table
    budget: Budget
    tags: Mapping[str, str]
    trained: tuple[Trained, ...]
    #: Figures that were measured without training, by row (or `BICUBIC`) and scale.
    given: Mapping[tuple[str, int], Mapping[str, float]]

    def link(self, run_id: str) -> str | None:
        """Return the address of a run's page; None if there is no address of web pages."""
        return None if not self.ui else run_address(self.ui, self.experiment_id, run_id)

    @cached_property
    def leaks(self) -> tuple[tuple[Leak, ...], tuple[Leak, ...]]:
        """Leaks: those whose images were left out, and those whose images some row kept."""
        return read_tags(self.tags)

    def kept(self, row: str) -> tuple[Leak, ...]:
        """Return the leaks whose images a row was trained on."""
        return next((one.kept for one in self.trained if one.row == row and one.kept), ())

    @property
    def commit(self) -> str:
        """Short commit of the code."""
        return short_commit(self.tags)

    def here(self, metric: str) -> str:
        """Return the metric that was measured for a metric of the table: a smoke test uses the bundled photographs."""
        if not self.budget.sample:
            return metric
        figure = names.SetFigure.parse(metric)
        return str(replace(figure, images=SAMPLE[1])) if figure.images in self.table.test else metric

    @property
    def shown(self) -> list[str]:
        """Metrics in the columns, as they were measured."""
        return list(dict.fromkeys(map(self.here, self.table.shown)))

    @property
    def recipes(self) -> list[str]:
        """Recipes that have a training."""
        return [recipe for recipe in self.table.recipes if any(one.recipe == recipe for one in self.trained)]

    @cached_property
    def longest(self) -> float:
        """Longest budget with a finished run."""
        return max((one.length for one in self.trained if one.outcome is Outcome.FINISHED), default=0.0)

    def of(self, row: str, recipe: str, metric: str, length: float | None = None) -> list[Trained]:
        """Return the finished runs of a cell that have a metric, by seed; for one budget, by default the longest."""
        wanted = self.longest if length is None else length
        found = [
            one
            for one in self.trained
            if (one.row, one.recipe, one.length) == (row, recipe, wanted) and metric in one.metrics
        ]
        return sorted(found, key=lambda one: one.seed)

    def figures(self, row: str, recipe: str, metric: str, length: float | None = None) -> NDArray[np.float64] | None:
        """Return a metric as (seeds, images), or (seeds, 1) without values per image; None: there is no run."""
        runs = self.of(row, recipe, metric, length)
        if not runs:
            return None
        images = sorted(name for name in runs[0].metrics if name.startswith(f"{metric}/"))
        return np.array([[one.metrics[name] for name in images or [metric]] for one in runs])

    def lengths(self) -> list[float]:
        """Return the budgets with a finished run, ascending."""
        return sorted({one.length for one in self.trained if one.outcome is Outcome.FINISHED})

    def printed(self, row: str, metric: str) -> float | None:
        """Return the paper's figure; None: there is none, as for the bundled photographs."""
        return None if self.budget.sample else self.table.row(row).paper.get(metric)

    def verdicts(self) -> list[Verdict]:
        """Return the verdicts on the paper's claims."""
        found = []
        for claim in self.table.claims:
            metric = self.here(self.table.metric_of(claim))
            figure = names.SetFigure.parse(metric)
            scale = figure.scale
            plain = self.given.get((BICUBIC, scale), {}).get(metric)
            learnt = None
            if (
                plain is not None and figure.kind in (names.PSNR, names.PLANES[0]) and not figure.image
            ):  # the paper's gain is known for Y alone
                share = LEARNT if figure.images in _PRINTED else LEARNT_ELSEWHERE
                learnt = plain + share * PAPER_GAIN[scale]
            for recipe in claim.recipes or self.recipes:
                rows: dict[str, dict[float, NDArray[np.float64]]] = {}
                for row in claim.rows:
                    by_length = {length: self.figures(row, recipe, metric, length) for length in self.lengths()}
                    rows[row] = {length: array for length, array in by_length.items() if array is not None}
                printed = {row: value for row in claim.rows if (value := self.printed(row, metric)) is not None}
                found.append(judge(claim, recipe, rows, printed=printed, learnt=learnt))
        return found

    def amount(self, length: float) -> str:
        """Return a budget in words."""
        return f"{length / 1e6:g} million pixels" if self.budget.unit == "pixels" else counted(int(length), "epoch")

    def provenance(self, runs: Sequence[Trained]) -> str:
        """Return the end of every caption: number of runs, budget, commit."""
        lengths = ", ".join(self.amount(length) for length in sorted({one.length for one in runs}))
        seeds = counted(len({one.seed for one in runs}), "seed")
        return f"n = {counted(len(runs), 'run')}, {seeds}; {lengths}; commit {self.commit}."


def figure_name(metric: str) -> str:
    """Return a metric in words: ``Set5/x3/psnr`` is ``Set5 x3, PSNR``."""
    figure = names.SetFigure.parse(metric)
    image = f"{paper_name(figure.image)} of " if figure.image else ""
    return f"{image}{figure.images} x{figure.scale}, {_KINDS.get(figure.kind, figure.kind)}"


def paper_name(image: str) -> str:
    """Return the name of an image, or its metric, as in the papers: the archive of Set5 and Set14 adds a suffix to some names."""
    return image.removesuffix("_GT")


def gather_table(uri: str, parent: Run, ui: str) -> TableData:
    """Read the data for the report of a table.

    Args:
        uri: address of the tracking store.
        parent: parent run of the table.
        ui: address of MLflow's web pages, for a store that is not a server.

    Raises:
        SearchError: the store cannot be read, or the run has not logged its table.
    """
    client = open_store(uri)
    with reading(uri):
        name = parent.data.tags.get(names.TAG_SEARCH, "")
        text, kept = (artifact_text(client, parent, path) for path in (names.ARTIFACT_TABLE, names.ARTIFACT_CELLS))
        if text is None or kept is None:
            raise SearchError(f"table: the run {name} has not logged its table; run {command('ablation')} again")
        table = _table(text)
        budget = table.budgets[parent.data.params[names.PARAM_BUDGET]]
        asked = set(json.loads(kept))
        runs = children_of(client, parent)
        return TableData(
            name=name,
            run_id=parent.info.run_id,
            experiment_id=parent.info.experiment_id,
            status=parent.info.status,
            uri=uri,
            ui=web_pages(uri, ui),
            table=table,
            budget=budget,
            tags=dict(parent.data.tags),
            trained=tuple(_trained(client, run) for run in _latest(runs, asked)),
            given={
                (run.data.params[names.PARAM_ROW], int(run.data.params[names.PARAM_SCALE])): names.set_figures(
                    run.data.metrics
                )
                for run in runs
                if run.data.tags.get(names.TAG_OUTCOME) == names.OUTCOME_GIVEN
            },
        )


def _table(text: str) -> Table:
    with TemporaryDirectory() as folder:
        file = Path(folder) / names.ARTIFACT_TABLE
        file.write_text(text, encoding="utf-8")
        return load_table(file)


def _latest(runs: Sequence[Run], asked: set[str]) -> list[Run]:
    """Return one run for each cell of the latest request: a finished one if there is any, else the newest."""
    found: dict[str, Run] = {}
    for run in sorted(
        runs, key=lambda r: (r.data.tags.get(names.TAG_OUTCOME) == Outcome.FINISHED, int(r.info.start_time or 0))
    ):
        cell = run.data.tags.get(names.TAG_CELL, "")
        if cell in asked:
            found[cell] = run
    return list(found.values())


def _trained(client: MlflowClient, run: Run) -> Trained:
    tags, params = run.data.tags, fields_of(run.data.params, run.data.tags)

    return Trained(
        run_id=run.info.run_id,
        name=run.info.run_name or tags.get(names.TAG_TRIAL, ""),
        row=tags[names.TAG_ROW],
        recipe=tags[names.TAG_RECIPE],
        scale=int(params[names.PARAM_SCALE]),
        length=float(tags[names.TAG_LENGTH]),
        seed=int(params[names.PARAM_SEED]),
        outcome=Outcome(tags[names.TAG_OUTCOME])
        if tags.get(names.TAG_OUTCOME) in set(Outcome)
        else Outcome.INTERRUPTED,
        failure=tags.get(names.TAG_FAILURE, ""),
        metrics=names.set_figures(run.data.metrics),
        seconds=float(run.data.metrics.get(names.METRIC_TRAIN_SECONDS, 0.0)),
        network=network_of(params),
        curve=curve_of(client, run),
        kept=read_tags(tags)[1],
    )
