"""Runs and tables made by hand, for tests of figures and sentences: no store is read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from srcnn.config.architecture import ModelConfig
from srcnn.tuning.paper.table import Table
from srcnn.tuning.report.data.history import History
from srcnn.tuning.report.data.search_data import Child, SearchData
from srcnn.tuning.report.data.table_data import TableData, Trained
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["PNG", "child", "picture", "search_data", "table_data", "timed", "trained"]

PNG = b"\x89PNG\r\n\x1a\n"  #: how every PNG file begins


def child(
    key: str, gains: Sequence[float], outcome: Outcome = Outcome.FINISHED, *, reference: bool = False, **values: Value
) -> Child:
    """A run at x3 whose reports gained so much over bicubic, in dB, a million pixels apart."""
    metrics = {"best/val_gain": max(gains), "best/objective": max(gains) / 2} if gains else {}
    return Child(
        run_id=key,
        trial_id=key,
        name=f"trial {key}",
        stage="search",
        outcome=outcome,
        reference=reference,
        failure="DeadNetworkError: dead" if outcome is Outcome.FAILED else "",
        params={"scale": "3"},
        metrics=metrics,
        values=dict(values),
        network=ModelConfig(),
        curve=tuple((1e6 * epoch, gain) for epoch, gain in enumerate(gains, start=1)),
    )


def timed(one: Child, start: float, times: Sequence[float], end: float | None, *decisions: Decision) -> Child:
    """The run with its times, in seconds since 1970, and what was decided about it."""
    return replace(one, history=History(start, end, tuple(times), tuple(range(1, len(times) + 1)), decisions))


def picture(shade: int, width: int = 4, height: int = 3) -> bytes:
    """A PNG file of one shade of grey."""
    file = io.BytesIO()
    Image.new("L", (width, height), shade).save(file, "png")
    return file.getvalue()


def search_data(children: Sequence[Child], **fields: object) -> SearchData:
    """A search that ended, with those runs; nobody's store."""
    given = {
        "name": "mine",
        "run_id": "p",
        "experiment_id": "1",
        "status": "FINISHED",
        "seconds": 60.0,
        "uri": "sqlite:///nowhere.db",
        "ui": "http://ui",
        "params": {"budget": "9000000.0"},
        "tags": {"mlflow.source.git.commit": "0123456789abcdef"},
        "metrics": {},
        "space": None,
        "children": tuple(children),
    }
    return SearchData(**{**given, **fields})  # type: ignore[arg-type]


def trained(row: str, seed: int, psnr: float, length: float = 4e6, **fields: object) -> Trained:
    """A finished run of a table's row, measured on two images, 0.1 dB around ``psnr``."""
    metrics = {
        "Set5/x3/psnr": psnr,
        "Set5/x3/psnr/baby": psnr + 0.1,
        "Set5/x3/psnr/bird": psnr - 0.1,
        "Set5/x3/seconds": 0.01 * len(row),
    }
    curve = tuple((length * share, psnr - 31 - 1 / (8 * share)) for share in (0.25, 0.5, 0.75, 1.0))
    network = ModelConfig(kernels=row, filters="-".join(["8"] * row.count("-")))
    given = {"outcome": Outcome.FINISHED, "network": network, "curve": curve, "metrics": metrics, **fields}
    name = f"{row} seed {seed}"
    return Trained(f"{row}{seed}{length}", name, row, "ours", 3, length, seed, failure="", seconds=9.0, **given)  # type: ignore[arg-type]


def table_data(runs: Sequence[Trained], rows: Sequence[str] = ("9-1-5", "9-3-5")) -> TableData:
    """A table at x3 whose rows are kernels, with those runs; nobody's store."""
    table = Table(
        title="Kernels",
        question="Which?",
        source="nowhere",
        test=("Set5",),
        scales=(3,),
        rows=[{"name": row, "config": {"kernels": row}, "paper": {"Set5/x3/psnr": 32.39}} for row in rows],
        shown=("Set5/x3/psnr",),
        budgets={"cpu": {"pixels": [1e6, 4e6], "seeds": 2}},
    )
    given = {("bicubic", 3): {"Set5/x3/psnr": 30.39}}
    uri = f"sqlite:///{Path('nowhere.db')}"
    return TableData(
        "kernels-cpu", "p", "1", "FINISHED", uri, "http://ui", table, table.budgets["cpu"], {}, tuple(runs), given
    )
