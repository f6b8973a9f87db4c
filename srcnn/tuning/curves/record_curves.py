"""Training every configuration of a grid once for each of some seeds, to search in the curves afterwards.

Runs are independent and take seconds, so a kill costs one of them: each is one line of a file beside the table, written
when it ends, and the table is made of that file when the last one is there. The first seed of every configuration comes
before the second of any, and the order of configurations is random, so a file that is half full is an even sample.
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
    """What is recorded.

    Raises:
        ConfigError: the space covers several scales, whose figures no table could compare.
    """

    space: Space
    images: ImageSet
    validation: int  #: of the images are held out to be measured on
    split_seed: int  #: by which they are drawn
    budget: float  #: target pixels of a run
    epochs: int  #: reports of a run, of equal length
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.space.scales) > 1:
            raise ConfigError(f"scale: a table holds one scale, but {self.space.source} has {self.space.scales}")

    def config(self, params: Mapping[str, Value], seed: int) -> TrainConfig:
        """One run."""
        return self.space.to_config(params, pixels=self.budget, epoch_pixels=self.budget / self.epochs, seed=seed)

    def runs(self) -> list[tuple[dict[str, Value], int]]:
        """Every configuration with every seed, in the order of recording."""
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
    """Train what is missing, one run after the other on one thread, and write the table.

    Args:
        recording: what to train.
        path: of the table; unfinished work lies beside it, in ``<path>.runs``.
        listener: called after every run with its number from 1, how many there are, its name and its last gain in dB.
        about: what else the table's first line says of where it comes from, such as the command.

    Raises:
        ConfigError: unfinished work of other settings is there.
        DataError: the file cannot be written.
    """
    torch.set_num_threads(1)
    scale = recording.space.scales[0]
    together = same_photograph(recording.images)  # else a run would be measured on what it was trained on
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
        prepare_cached(training, scale), tuple(degrade(image, scale, name=name) for name, image in held_out.images)
    )
    todo = recording.runs()
    _run(recording.config(*todo[0]), data)  # what a process does once shall not count for the first run
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
    """One run to its end. Seconds are of the process, so that what else a machine does counts little."""
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


def _open(work: Path, asked: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Curve]]:
    """Where unfinished work comes from, and its runs by key; makes the file if there is none."""
    if not work.exists():
        tags = {name: value for name, value in environment_tags().items() if name != names.TAG_USER}
        about = {**told, **asked, **tags, "date": datetime.now(UTC).isoformat(timespec="seconds"), "threads": 1}
        _append(work, about)
        return about, {}
    try:
        # A kill may leave the last line torn: it is not whole without its end, and goes.
        data = work.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(work, len(whole))
        lines = [json.loads(line) for line in whole.splitlines()]
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
        raise DataError(f"{work}: is damaged; remove it to record from the start") from None
    for name, value in json.loads(json.dumps(asked)).items():
        if about.get(name) != value:
            raise ConfigError(
                f"{name}: {work} holds unfinished work with {about.get(name)!r}, but got {value!r}; remove it to start anew"
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
