"""Section ``tricks``: what each training trick gains over the base at equal core-seconds, on held-out images.

The base is the seven-layer chain of `_bench.trainings` with the defaults of this project; every row of `TRICKS` changes some
fields of it. For each scale:

1. The core-seconds for a pixel of every row are measured in short whole trainings, in turn with the base, and the median of the
   ratios is taken. A row's pixels are those that take as long as the base's: ``--seconds`` of a core.
2. Base and rows are trained from the same seeds on T91+BSDS300/train without `HELD_OUT` images, without images that show a
   test image. The rows of one seed run before the next seed begins, so that an interrupted section compares all rows.
3. The network of the last step is measured on the held-out images. The gain is that over the base with the same seed. No test
   set is measured; the contents of the test sets are only used for leaving out.

``warm start`` begins with the base's network of another scale and the same seed, which had its own core-seconds: they are not
counted, because a search over all scales has such a network anyway. ``ensemble`` is the base's network, measured as the
mean over the eight symmetries: no training, and eight times the time at test.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.data.known_sets import data_root
from srcnn.errors import ConfigError, SRCNNError, unknown_name
from srcnn.overlap.leaks import divide
from srcnn.tuning.trials.intervals import Interval, difference

from _bench.record import Bench
from _bench.trainings import CHAIN, Training, pool_of, results_of, sets_here

__all__ = ["BASE", "TRICKS", "Trick", "chosen_rows", "figures", "run_tricks"]

HELD_OUT = 12
BASE = "base"
_TRAIN = ("T91", "BSDS300/train")
_TESTS = ("Set5", "Set14", "BSDS300/test")
_SPLIT_SEED = 291
_FIRST_SEED = 1
_WANTED = 5  # seeds of a complete table
_SCALES = (2, 3, 4)
_OTHER = {2: 3, 3: 2, 4: 2}  # the scale whose network a warm start begins with
_ROUNDS, _PROBE = 3, 2e6  # rounds of the measurement of speed, and pixels of one training in it
_QUICK_SECONDS, _QUICK_PROBE = 0.3, 5e4


@dataclass(frozen=True)
class Trick:
    """One row: the fields that it changes, and how its network is measured."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    warm: bool = False  #: whether the training begins with the base's network of another scale
    ensemble: bool = False  #: whether this is the base's network, measured with the ensemble

    @property
    def missing(self) -> list[str]:
        """Fields that this version of the project does not have."""
        return [name for name in self.fields if name not in TrainConfig.model_fields]


#: The rows. One whose field does not exist in this version is named below the table and left out.
TRICKS: Sequence[Trick] = (
    Trick(BASE),
    Trick("l1", {"loss": "l1"}),
    Trick("charbonnier", {"loss": "charbonnier"}),
    Trick("psnr", {"loss": "psnr"}),
    Trick("l1, then mse", {"loss": "l1", "mse_share": 0.25}),
    Trick("ema 2 %", {"ema": 0.02}),
    Trick("prelu", {"activation": "prelu"}),
    Trick("expansion 4", {"expansion": 4}),
    Trick("4 cycles", {"cycles": 4}),
    Trick("late sub-images of 120", {"late_patch_size": 120, "late_share": 0.25}),
    Trick("2 reduced copies", {"reduced_copies": 2}),
    Trick("weight decay 0.03", {"weight_decay": 0.03}),
    Trick("warm start", warm=True),
    Trick("learning rate 4e-4", {"learning_rate": 4e-4}),
    Trick("learning rate 8e-4", {"learning_rate": 8e-4}),
    Trick("batch 16", {"batch_size": 16}),
    Trick("batch 16, learning rate 4e-4", {"batch_size": 16, "learning_rate": 4e-4}),
    Trick("ensemble of 8 at test", ensemble=True),
)


def chosen_rows(names: str | None) -> list[Trick]:
    """Return the base and the rows with some names, joined by ``;``; None: all rows that this version has.

    Raises:
        ConfigError: there is no such row, or this version does not have its fields.
    """
    if names is None:
        return [trick for trick in TRICKS if not trick.missing]
    by_name = {trick.name: trick for trick in TRICKS}
    found = [by_name[BASE]]
    for name in (part.strip() for part in names.split(";")):
        if name not in by_name:
            raise ConfigError(f"--rows: {unknown_name('row', name, by_name)}")
        if by_name[name].missing:
            raise ConfigError(
                f"--rows: {name} needs the field {by_name[name].missing[0]}, which this version does not have"
            )
        found += [by_name[name]] if name != BASE else []
    return found


def run_tricks(bench: Bench) -> None:
    """Measure and print. Trainings that are in the file do not run again."""
    rows = chosen_rows(bench.rows)
    about, job = _images_of(bench)
    about |= {"seconds": _QUICK_SECONDS if bench.quick else bench.seconds, "base": dict(CHAIN)}
    before = bench.record.get("tricks")
    same = isinstance(before, dict) and all(before.get(name) == value for name, value in about.items())
    result: dict[str, Any] = before if same else {**about, "speed": {}, "runs": {}}
    result["rows"] = {trick.name: dict(trick.fields) for trick in TRICKS if not trick.missing}
    scales = bench.scales[:1] if bench.quick else bench.scales
    seeds = [_FIRST_SEED + i for i in range(2 if bench.quick else bench.seeds)]
    for scale in scales:
        _measure_speed(bench, result, job, rows, scale)
    with TemporaryDirectory(prefix="srcnn-bench-") as folder, pool_of(bench.jobs) as pool:
        for seed in seeds:
            for scale in scales:
                _train_seed(bench, result, pool, _Place(job, rows, scale, seed, Path(folder)))
    _keep(bench, result)
    _show(bench, result)


def _images_of(bench: Bench) -> tuple[dict[str, Any], Training]:
    """Return the names of all images, for the file, and a training with the images alone."""
    root = data_root(bench.data_root)
    here = not bench.quick and len(sets_here(_TRAIN, root)) == len(_TRAIN)
    train = "+".join(_TRAIN) if here else "sample/train"
    tests = sets_here(_TESTS, root) if here else ["sample/test"]
    images = load(train, root)
    parts = divide(images, HELD_OUT if here else 3, _SPLIT_SEED, [load(name, root) for name in tests])
    assert parts.validation is not None, "at least one image is held out"
    held, names = (tuple(name for name, _ in part.images) for part in (parts.validation, parts.training))
    about = {
        "train": train,
        "digest": images.digest,
        "left_out": [str(leak) for leak in parts.left_out],
        "compared_with": tests,
        "held_out": list(held),
        "training_images": len(names),
    }
    return about, Training({}, train, names, train, held, bench.data_root)


def _measure_speed(
    bench: Bench,
    result: dict[str, Any],
    images: Training,
    rows: Sequence[Trick],
    scale: int,
) -> None:
    """Measure the core-seconds for a pixel of the rows at a scale, relative to the base, where they are not known."""
    at = result["speed"].setdefault(f"x{scale}", {"ratio": {BASE: 1.0}})
    wanted = [trick for trick in rows if not trick.ensemble and not trick.warm and trick.name not in at["ratio"]]
    if "base_pixels" in at and not wanted:
        return
    pixels = _QUICK_PROBE if bench.quick else _PROBE

    def core_seconds(pool: ProcessPoolExecutor, trick: Trick) -> float | None:
        config = {**CHAIN, **trick.fields, "scale": scale, "seed": 0, "pixels": pixels}
        job = replace(images, config=config, measured_names=())
        ((_, found),) = results_of(pool, {trick.name: job})
        # A training that diverged says nothing about the speed.
        return None if "failure" in found else float(found["core_seconds"] / found["pixels"])

    base, ratios = Trick(BASE), {trick.name: list[float]() for trick in wanted}
    of_base: list[float] = []
    with pool_of(1) as pool:
        for place in range(1 + (1 if bench.quick else _ROUNDS)):
            for trick in wanted or [base]:
                first = core_seconds(pool, base)
                second = first if trick is base else core_seconds(pool, trick)
                if place and first is not None:  # the first round warms up: oneDNN makes its primitives
                    of_base.append(first)
                    ratios.setdefault(trick.name, []).extend([] if second is None else [second / first])
    if not of_base:
        raise SRCNNError(f"tricks: the base diverged in every training of {pixels:g} pixels at x{scale}")
    at["ratio"] |= {name: statistics.median(values or [1.0]) for name, values in ratios.items()}
    if "base_pixels" not in at:
        at["base_core_seconds_per_mpixel"] = 1e6 * statistics.median(of_base)
        at["base_pixels"] = round(result["seconds"] / statistics.median(of_base))
    _keep(bench, result)
    bench.say(
        f"x{scale}: base {1 / at['base_core_seconds_per_mpixel']:.2f} Mpixel/s, {at['base_pixels'] / 1e6:.1f} Mpixel; "
        + ", ".join(f"{name} {value:.2f}" for name, value in at["ratio"].items() if name != BASE)
    )


@dataclass(frozen=True)
class _Place:
    """The rows of one scale and one seed."""

    images: Training
    rows: Sequence[Trick]
    scale: int
    seed: int
    folder: Path

    def job(self, trick: Trick, scale: int, pixels: float) -> Training:
        """The training of a row at a scale; that of the base saves its network."""
        config = {**CHAIN, **trick.fields, "scale": scale, "seed": self.seed, "pixels": pixels}
        is_base = trick.name == BASE
        saved = str(self.network_of(scale)) if is_base else None
        extra = {"row": trick.name, "scale": scale, "seed": self.seed}
        start = str(self.network_of(_OTHER[scale])) if trick.warm else None
        return replace(self.images, config=config, ensemble=is_base, save=saved, start=start, extra=extra)

    def network_of(self, scale: int) -> Path:
        """File of the base's network at a scale."""
        return self.folder / f"x{scale}-{self.seed}.safetensors"

    def name(self, trick: Trick, scale: int | None = None) -> str:
        """Name of a training in the file of results."""
        return f"x{self.scale if scale is None else scale} {trick.name} seed {self.seed}"


def _train_seed(bench: Bench, result: dict[str, Any], pool: ProcessPoolExecutor, at: _Place) -> None:
    """Train the rows of one scale and seed that are not in the file, the base first."""
    runs, speed = result["runs"], result["speed"]
    base = Trick(BASE)
    trained = [trick for trick in at.rows if not trick.ensemble]
    todo = [trick for trick in trained if at.name(trick) not in runs]
    first: dict[str, Training] = {}
    if base in todo:
        first[at.name(base)] = at.job(base, at.scale, speed[f"x{at.scale}"]["base_pixels"])
    other = _OTHER[at.scale]
    if any(trick.warm for trick in todo) and not at.network_of(other).is_file():
        # In a resumed section the file of the network is gone: it is made again, with the same weights.
        pixels = speed.get(f"x{other}", speed[f"x{at.scale}"])["base_pixels"]
        first[at.name(base, other)] = at.job(base, other, pixels)
    rest = {
        at.name(trick): at.job(
            trick, at.scale, speed[f"x{at.scale}"]["base_pixels"] / speed[f"x{at.scale}"]["ratio"].get(trick.name, 1.0)
        )
        for trick in todo
        if trick.name != BASE
    }
    for jobs in (first, rest):
        for name, found in results_of(pool, jobs):
            if f"x{found['scale']}" not in speed:  # only made for the warm start: its pixels are those of another scale
                continue
            runs.setdefault(name, found)
            _keep(bench, result)
            shown = found.get("failure") or f"{statistics.fmean(found['psnr']):.3f} dB"
            bench.say(f"{name}: {shown}, {found['core_seconds']:.0f} core-s")


def figures(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row of figures for each scale and trick, over the seeds that base and trick both have.

    ``gain``: over the base with the same seed, mean over the images, with Student's 95 % interval over seeds. ``everywhere``:
    with the interval over seeds and images.
    """
    runs = list(result["runs"].values())
    names = [name for name in result["rows"] if name != BASE]
    found = []
    for scale in sorted({run["scale"] for run in runs}):
        here = [run for run in runs if run["scale"] == scale]
        bases = {run["seed"]: run for run in here if run["row"] == BASE and "psnr" in run}
        found.append(_row(scale, BASE, list(bases.values()), []))
        for name in names:
            alone = next((trick for trick in TRICKS if trick.name == name and trick.ensemble), None) is not None
            if alone:
                own = {seed: {**run, "psnr": run["ensemble"]} for seed, run in bases.items() if "ensemble" in run}
            else:
                own = {run["seed"]: run for run in here if run["row"] == name}
            pairs = [(own[seed], bases[seed]) for seed in sorted(own) if seed in bases]
            if pairs:
                found.append(_row(scale, name, [run for run, _ in pairs], [base for _, base in pairs]))
    return found


def _row(scale: int, name: str, own: Sequence[Mapping[str, Any]], bases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    good = [place for place, run in enumerate(own) if "psnr" in run]
    row: dict[str, Any] = {"scale": scale, "row": name, "n": len(good), "failed": len(own) - len(good)}
    if not good:
        return row
    values = np.array([own[place]["psnr"] for place in good])
    row |= {
        "psnr": float(values.mean()),
        "over_bicubic": float(values.mean() - np.mean([own[place]["bicubic"] for place in good])),
        "pixels": statistics.fmean(own[place]["pixels"] for place in good),
        "core_seconds": statistics.fmean(own[place]["core_seconds"] for place in good),
    }
    if bases:
        reference = np.array([bases[place]["psnr"] for place in good])
        row["gain"] = difference(values, reference, images_vary=False).to_json()
        row["everywhere"] = difference(values, reference).to_json()
    return row


def _keep(bench: Bench, result: dict[str, Any]) -> None:
    result["figures"] = figures(result)
    seeds = sorted({run["seed"] for run in result["runs"].values()})
    counts = {(row["scale"], row["row"]): row["n"] + row["failed"] for row in result["figures"]}
    result["complete"] = all(
        counts.get((scale, trick.name), 0) >= _WANTED for scale in _SCALES for trick in TRICKS if not trick.missing
    )
    bench.record.put("tricks", result, n=f"{len(seeds)} seeds for each row", seed=seeds)


def _show(bench: Bench, result: Mapping[str, Any]) -> None:
    """Print the table."""
    rows = []
    for row in result["figures"]:
        cells: list[object] = [f"x{row['scale']} {row['row']}", row["n"]]
        if "psnr" not in row:
            rows.append([*cells, *["-"] * 5, row["failed"]])
            continue
        gains = [Interval.from_json(row[kind]).signed() if kind in row else "-" for kind in ("gain", "everywhere")]
        cells += [f"{row['psnr']:.3f}", *gains, f"{row['pixels'] / 1e6:.1f}M", f"{row['core_seconds']:.0f}"]
        rows.append([*cells, row["failed"]])
    heads = ["scale, trick", "n", "PSNR, dB", "gain over base, dB", "with images", "pixels", "core-s", "failed"]
    notes = [
        f"{result['seconds']:g} core-seconds a training on {result['train']}, {result['training_images']} images; "
        f"{len(result['held_out'])} other images measured, no test set",
        "gain: pairs with the same seed; 95 % interval over seeds; with images: over seeds and images",
        "warm start: from the base at another scale, whose own training is not counted; ensemble: eight times the time at test",
    ]
    absent = [f"{trick.name} ({', '.join(trick.missing)})" for trick in TRICKS if trick.missing]
    notes += [f"not in this version: {'; '.join(absent)}"] if absent else []
    notes += [] if result["complete"] else [f"not complete: {_WANTED} seeds of every row at x2, x3 and x4 are wanted"]
    bench.table("tricks at equal core-seconds", heads, rows, notes)
