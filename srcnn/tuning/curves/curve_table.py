"""Tables of recorded learning curves, for replaying searches without training.

A table is one CSV file, compressed if its name ends in .gz. The first line ``# {...}`` is JSON with the source of the
data and the search space of the configurations. Then there is a row for every configuration, seed and epoch. Columns:

- the parameters, by their names in the space
- ``seed``: seed of the run; ``epoch``, from 1; ``pixels``: target pixels since the start of the run
- ``seconds``: core-seconds of this epoch, including validation
- ``val_gain``: gain over bicubic on the validation images in dB; empty in the epoch in which a run failed
- ``objective``: this gain as a fraction of the paper's gain, as samplers and schedulers see it
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from srcnn.errors import DataError
from srcnn.system.atomic_file import atomic_write
from srcnn.tuning.space.parameter import Parameter, Value
from srcnn.tuning.space.space import Constraints, Space
from srcnn.tuning.trials.objective import FAILED, PAPER_GAIN, normalized_gain

__all__ = ["Curve", "CurveTable", "read_table", "space_data", "write_table"]

_PARAMETERS: TypeAdapter[dict[str, Parameter]] = TypeAdapter(
    dict[str, Annotated[Parameter, Field(discriminator="type")]]
)
_FIGURES = ("seed", "epoch", "pixels", "seconds", "val_gain", "objective")


@dataclass(frozen=True)
class Curve:
    """The learning curve of one run, epoch by epoch."""

    seed: int
    objective: tuple[float, ...]  #: gain as a fraction of the paper's; the last value is `FAILED` if the run failed
    seconds: tuple[float, ...]  #: duration of each epoch, in core-seconds
    pixels: tuple[float, ...]  #: target pixels since the start of the run

    @property
    def failed(self) -> bool:
        """Whether the run diverged or its network died."""
        return self.objective[-1] <= FAILED


@dataclass(frozen=True)
class CurveTable:
    """Configurations of one scale with their curves, at least one per configuration."""

    space: Space
    epochs: int  #: number of epochs in a full run
    params: tuple[Mapping[str, Value], ...]
    curves: tuple[tuple[Curve, ...], ...]  #: curves of each configuration
    about: Mapping[str, Any]  #: source of the data

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return self.space.scales[0]

    @cached_property
    def quality(self) -> NDArray[np.float64]:
        """Mean over seeds of the best gain of each configuration, in dB; minus infinity if a run failed."""
        worst = -np.inf
        return np.array(
            [
                np.mean([worst if c.failed else max(c.objective) for c in curves]) * PAPER_GAIN[self.scale]
                for curves in self.curves
            ]
        )

    @property
    def seconds(self) -> float:
        """Total core-seconds of all curves."""
        return sum(sum(curve.seconds) for curves in self.curves for curve in curves)


def space_data(space: Space) -> dict[str, Any]:
    """Return a space as JSON-serializable data, for the first line of a table."""
    return {
        "source": space.source,
        "parameters": {name: parameter.model_dump(mode="json") for name, parameter in space.parameters.items()},
        "constants": dict(space.constants),
        "constraints": space.constraints.model_dump(),
    }


def _space(data: Mapping[str, Any]) -> Space:
    parameters = _PARAMETERS.validate_python(data["parameters"])
    return Space(data["source"], parameters, dict(data["constants"]), Constraints(**data["constraints"]))


def write_table(path: Path, table: CurveTable) -> None:
    """Write a table. Equal tables give identical files.

    Raises:
        DataError: the file cannot be written.
    """
    text = io.StringIO()
    header = {**table.about, "epochs": table.epochs, "space": space_data(table.space)}
    text.write(f"# {json.dumps(header)}\n")
    names = list(table.space.parameters)
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([*names, *_FIGURES])
    for params, curves in zip(table.params, table.curves, strict=True):
        cells = [_cell(params.get(name)) for name in names]
        for curve in curves:
            figures = zip(curve.objective, curve.seconds, curve.pixels, strict=True)
            for epoch, (objective, seconds, pixels) in enumerate(figures, start=1):
                gain = "" if objective <= FAILED else f"{objective * PAPER_GAIN[table.scale]:.4f}"
                row = [curve.seed, epoch, f"{pixels:.0f}", f"{seconds:.3f}", gain, f"{objective:.5f}"]
                lines.writerow([*cells, *row])
    data = text.getvalue().encode()
    try:
        with atomic_write(path) as file:
            file.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from None


def read_table(path: Path) -> CurveTable:
    """Read a table written by `write_table`.

    Raises:
        DataError: the file is missing or is not such a table.
    """
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (EOFError, UnicodeDecodeError):
        raise DataError(f"{path}: is damaged") from None
    try:
        first, _, rest = text.partition("\n")
        about = json.loads(first.removeprefix("# "))
        space, epochs = _space(about.pop("space")), int(about.pop("epochs"))
        rows = list(csv.DictReader(io.StringIO(rest), strict=True))
        return collect(space, epochs, about, rows)
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: is not a table of curves ({type(error).__name__}: {reason})") from None


def collect(space: Space, epochs: int, about: Mapping[str, Any], rows: Sequence[Mapping[str, str]]) -> CurveTable:
    """Build a table from its rows. Configurations and seeds may be in any order, but the epochs of a run must ascend."""
    runs: dict[tuple[str, ...], dict[int, list[tuple[float, float, float]]]] = {}
    for row in rows:
        key = tuple(row[name] for name in space.parameters)
        objective = FAILED if not row["val_gain"] else normalized_gain(float(row["val_gain"]), space.scales[0])
        run = runs.setdefault(key, {}).setdefault(int(row["seed"]), [])
        run.append((objective, float(row["seconds"]), float(row["pixels"])))
        if int(row["epoch"]) != len(run):
            raise ValueError(f"epoch: must be {len(run)} in this line, but got {row['epoch']}")
    if not runs:
        raise ValueError("there is no curve")
    params = tuple(
        {name: value for name, cell in zip(space.parameters, key, strict=True) if (value := _value(cell)) is not None}
        for key in runs
    )
    curves = tuple(
        tuple(Curve(seed, *(tuple(column) for column in zip(*run, strict=True))) for seed, run in sorted(seeds.items()))
        for seeds in runs.values()
    )
    return CurveTable(space, epochs, params, curves, about)


def _cell(value: Value) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _value(cell: str) -> Value:
    """Convert a cell to a value: a number or Boolean if possible, else the text; None if empty."""
    try:
        value: Value = json.loads(cell) if cell else None
    except ValueError:
        return cell
    return value
