"""Recording of learning curves: training of every configuration of a grid with several seeds.

Runs are independent and take seconds, so an interruption loses only one of them: each run is appended to a file beside
the table when it ends, and the table is written after the last run. All configurations run with the first seed before
the second one starts, in random order, so that a partial file is a random sample.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet, split
from srcnn.errors import ConfigError, DataError, TrainingError
from srcnn.evaluation.degradation import degrade
from srcnn.overlap.pairs import same_photograph
from srcnn.system.bounded_read import parse_json, read_bytes
from srcnn.training.fit import fit
from srcnn.training.patch_cache import prepare_cached
from srcnn.tuning.curves.curve_table import Curve, CurveTable, space_data, write_table
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.provenance import environment_tags
from srcnn.tuning.trials.objective import FAILED, normalized_gain
from srcnn.tuning.worker.run_trial import ScaleData

__all__ = ["Recording", "record"]


@dataclass(frozen=True)
class Recording:
    """What to record.

    Raises:
        ConfigError: the space has several scales, whose gains are not comparable in one table.
    """

    space: Space
    images: ImageSet
    validation: int  #: number of held-out images for validation
    split_seed: int  #: random seed of this split
    budget: float  #: budget of a run, in target pixels
    epochs: int  #: number of epochs in a run, of equal length
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.space.scales) > 1:
            raise ConfigError(
                f"scale: must be a single one for a table, but {self.space.source} has {self.space.scales}"
            )

    def config(self, params: Mapping[str, Value], seed: int) -> TrainConfig:
        """Return the configuration of one run."""
        return self.space.to_config(params, pixels=self.budget, epoch_pixels=self.budget / self.epochs, seed=seed)

    def runs(self) -> list[tuple[dict[str, Value], int]]:
        """Return all configurations with all seeds, in the order of recording."""
        rows = [
            row for row in self.space.grid() if not self.space.constraints.broken_by(self.config(row, self.seeds[0]))
        ]
        random.Random(0).shuffle(rows)
        return [(row, seed) for seed in self.seeds for row in rows]


def record(
    recording: Recording,
    path: Path,
    listener: Callable[[int, int, str, float], None] | None = None,
    about: Mapping[str, Any] = MappingProxyType({}),
) -> CurveTable:
    """Train the missing runs one by one on one thread, and write the table.

    Args:
        recording: what to train.
        path: file of the table; unfinished work is in ``<path>.runs``.
        listener: called after every run with its number from 1, the number of runs, its name and its last objective.
        about: additional entries in the first line of the table, such as the command.

    Raises:
        ConfigError: there is unfinished work with other settings.
        DataError: the file cannot be written.
    """
    torch.set_num_threads(1)
    scale = recording.space.scales[0]
    together = same_photograph(recording.images)  # otherwise a validation image may show a photograph used for training
    training, held_out = split(recording.images, recording.validation, recording.split_seed, together=together)
    asked = {
        "space": space_data(recording.space),
        "train": training.name,
        "digest": training.digest,
        "validation": [name for name, _ in held_out.images],
        "budget": recording.budget,
        "epochs": recording.epochs,
    }
    work = path.with_name(path.name + ".runs")
    told, done = _open(work, asked, about)
    data = ScaleData(
        prepare_cached(training, scale, copies=recording.space.reduced_copies),
        tuple(degrade(image, scale, name=name) for name, image in held_out.images),
    )
    todo = recording.runs()
    _run(
        recording.config(*todo[0]), data
    )  # warm-up, so that one-time costs of the process are not part of the first run
    for number, (params, seed) in enumerate(todo, start=1):
        key = _key(params, seed)
        if key in done:
            continue
        config = recording.config(params, seed)
        curve = _run(config, data)
        done[key] = curve
        _append(work, {"params": params, "seed": seed, **_plain(curve)})
        if listener is not None:
            listener(number, len(todo), f"{config.name} lr {config.learning_rate:.1e} seed {seed}", curve.objective[-1])
    configurations = {_key(params, 0): params for params, _ in todo}
    table = CurveTable(
        recording.space,
        recording.epochs,
        tuple(configurations.values()),
        tuple(tuple(done[_key(params, seed)] for seed in recording.seeds) for params in configurations.values()),
        {name: value for name, value in told.items() if name not in ("space", "epochs")},
    )
    write_table(path, table)
    work.unlink()
    return table


def _run(config: TrainConfig, data: ScaleData) -> Curve:
    """Train one run. Durations are CPU time of the process, so that other processes have little effect."""
    objective: list[float] = []
    seconds: list[float] = []
    pixels: list[float] = []
    last = time.process_time()
    try:
        for result in fit(config, data.training, validation=data.validation, device=torch.device("cpu")):
            now = time.process_time()
            assert result.val_gain is not None, "there are validation images"
            objective.append(normalized_gain(result.val_gain, config.scale))
            seconds.append(now - last)
            pixels.append(float(result.pixels))
            last = time.process_time()
    except TrainingError:
        objective.append(FAILED)
        seconds.append(time.process_time() - last)
        pixels.append(pixels[-1] if pixels else 0.0)
    return Curve(config.seed, tuple(objective), tuple(seconds), tuple(pixels))


def _key(params: Mapping[str, Value], seed: int) -> str:
    return json.dumps([dict(params), seed], sort_keys=True)


def _plain(curve: Curve) -> dict[str, Sequence[float]]:
    return {"objective": curve.objective, "seconds": curve.seconds, "pixels": curve.pixels}


_SIZE = 32 << 20  # maximum size of unfinished work in bytes; a grid of 500 runs has a quarter of a megabyte


def _open(work: Path, asked: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Curve]]:
    """Read the description and the runs of unfinished work; create the file if there is none."""
    if not work.exists():
        tags = {name: value for name, value in environment_tags().items() if name != names.TAG_USER}
        about = {**told, **asked, **tags, "date": datetime.now(UTC).isoformat(timespec="seconds"), "threads": 1}
        _append(work, about)
        return about, {}
    try:
        # After a kill the last line may be incomplete; it is then removed.
        data = read_bytes(work, _SIZE)
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(work, len(whole))
        lines = [parse_json(line.decode("utf-8")) for line in whole.splitlines()]
        about = lines[0]
        done = {
            _key(line["params"], line["seed"]): Curve(
                line["seed"], tuple(line["objective"]), tuple(line["seconds"]), tuple(line["pixels"])
            )
            for line in lines[1:]
        }
    except OSError as error:
        raise DataError(f"{work}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, IndexError):
        raise DataError(f"{work}: is damaged; remove it to start again") from None
    for name, value in json.loads(json.dumps(asked)).items():
        if about.get(name) != value:
            raise ConfigError(
                f"{name}: {work} has unfinished work with {about.get(name)!r}, but got {value!r}; remove it to start again"
            )
    return about, done


def _append(work: Path, line: Mapping[str, Any]) -> None:
    try:
        work.parent.mkdir(parents=True, exist_ok=True)
        with work.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(f"{work}: cannot be written ({error.strerror})") from None
