"""Section ``intervals``: coverage of 95 % intervals and rate of false promotions, in a simulation.

Figures are simulated as figure = truth + seed + image + rest, with independent normal terms whose standard deviations
come from the paper's tables (``*-variation.csv`` of the committed report: between seeds, between images, and of the
rest). Every repetition uses the standard deviations of one measured row, or difference of two rows, at random. The
intervals come from `srcnn.tuning.trials.intervals`, with the same calls as in a search:

* ``mean``: the figure of one configuration; ``difference``: of two configurations on the same images and with the same seeds;
* ``... of the best of 4``: the best of four on validation images is judged with new seeds on other images, as in
  `srcnn.tuning.whole_search.choice`.

With one image, the interval is over seeds for this image. A promotion is false if on average the champion's configuration is
exactly as good as the network of the current champion. ``contrast`` contains the results without these precautions.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import ConfigError
from srcnn.tuning.trials.intervals import Components, Interval, difference, over_seeds, over_seeds_and_images
from srcnn.tuning.whole_search.champion import LEAST_IMAGES, LEAST_SEEDS

from _bench.machine import ROOT
from _bench.record import Bench

__all__ = ["measured_components", "run_intervals"]

_SEEDS, _IMAGES, _CANDIDATES = tuple(range(2, 11)), (1, 4, 9), (2, 4, 8)
_BEST_OF, _CHOICE_SEEDS, _CHOICE_IMAGES = 4, 2, 6  # the defaults of a search
_DRAW = 2026  # random seed of the simulation
_RESULTS = ROOT / "experiments" / "results"
_DEVELOPED = (
    "filter_size",
    "scales",
)  # the method was chosen with the variances of these tables, so it is not tested on them

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class _Kinds:
    means: tuple[Components, ...]
    differences: tuple[Components, ...]
    files: tuple[str, ...]


def measured_components() -> _Kinds:
    """Return standard deviations of rows and of differences from the committed report.

    Raises:
        ConfigError: there is no report.
    """
    found: dict[bool, list[Components]] = {False: [], True: []}
    files = [f for f in sorted(_RESULTS.glob("*/tables/*-variation.csv")) if not f.name.startswith(_DEVELOPED)]
    for file in files:
        with file.open(encoding="utf-8", newline="") as text:
            for row in csv.DictReader(text):
                if (
                    row["recipe"] != "ours"
                ):  # with the settings of the authors, networks are almost untrained at these budgets
                    continue
                deviations = Components(*(float(row[f"{name} (dB)"]) for name in ("seed", "image", "rest")))
                found[" - " in row["row or difference"]].append(deviations)
    if not found[True] or not found[False]:
        raise ConfigError(f"intervals: needs the report of the paper's tables, but {_RESULTS} has no variation of one")
    return _Kinds(tuple(found[False]), tuple(found[True]), tuple(file.name for file in files))


def _figures(draw: np.random.Generator, by: Components, seeds: int, images: int, truth: float = 0.0) -> Figures:
    """Return simulated figures. One image is a fixed effect; several images are a random sample."""
    image = draw.normal(0.0, by.image, images) if images > 1 else np.zeros(1)
    seed = draw.normal(0.0, by.seed, (seeds, 1))
    return np.asarray(truth + seed + image + draw.normal(0.0, by.rest, (seeds, images)))


def _chosen(draw: np.random.Generator, by: Components, candidates: int) -> tuple[float, Figures]:
    """Return the truth of the candidate that looks best, and the figures by which it was chosen.

    Half of the variance of a difference belongs to each side. The true values differ slightly, as those of the best in
    a search.
    """
    half = Components(by.seed / 2**0.5, by.image / 2**0.5, by.rest / 2**0.5)
    truths = draw.normal(0.0, 0.02, candidates)
    looks = [_figures(draw, half, _CHOICE_SEEDS, _CHOICE_IMAGES, truth) for truth in truths]
    best = int(np.argmax([figures.mean() for figures in looks]))
    return float(truths[best]), looks[best]


def _coverage(repetitions: int, once: Callable[[], tuple[Interval, float]]) -> float:
    hits = 0
    for _ in range(repetitions):
        found, truth = once()
        hits += found.low <= truth <= found.high
    return hits / repetitions


def _interval(figures: Figures) -> Interval:
    return over_seeds(figures) if figures.shape[1] == 1 else over_seeds_and_images(figures)


def _pick(draw: np.random.Generator, among: Sequence[Components]) -> Components:
    return among[int(draw.integers(len(among)))]


def _rows(bench: Bench, measured: _Kinds, repetitions: int) -> list[dict[str, Any]]:
    draw = np.random.default_rng(_DRAW)
    rows = []

    def mean(seeds: int, images: int) -> tuple[Interval, float]:
        return _interval(_figures(draw, _pick(draw, measured.means), seeds, images)), 0.0

    def compared(seeds: int, images: int) -> tuple[Interval, float]:
        lead = _figures(draw, _pick(draw, measured.differences), seeds, images)
        return difference(lead, np.zeros((1, images)), images_vary=images > 1), 0.0

    def best_mean(seeds: int, images: int) -> tuple[Interval, float]:
        truth, _ = _chosen(draw, _pick(draw, measured.differences), _BEST_OF)
        return _interval(_figures(draw, _pick(draw, measured.means), seeds, images, truth)), truth

    def best_compared(seeds: int, images: int) -> tuple[Interval, float]:
        by = _pick(draw, measured.differences)
        truth, _ = _chosen(draw, by, _BEST_OF)
        return difference(
            _figures(draw, by, seeds, images, truth), np.zeros((1, images)), images_vary=images > 1
        ), truth

    kinds = {"mean": mean, "difference": compared}
    kinds |= {f"mean of the best of {_BEST_OF}": best_mean, f"difference of the best of {_BEST_OF}": best_compared}
    for kind, once in kinds.items():
        for seeds in _SEEDS:
            for images in _IMAGES:
                covered = _coverage(repetitions, lambda s=seeds, i=images, f=once: f(s, i))  # type: ignore[misc]
                rows.append({"kind": kind, "seeds": seeds, "images": images, "coverage": covered})
        bench.say(f"{kind} done")
    return rows


def _promotions(measured: _Kinds, repetitions: int) -> list[dict[str, Any]]:
    """Return rates of false promotions: the champion's configuration equals the current network in quality."""
    draw, rows = np.random.default_rng(_DRAW + 1), []
    for seeds in (s for s in _SEEDS if s >= LEAST_SEEDS):
        for images in (LEAST_IMAGES, 6, 9, 12):
            for candidates in _CANDIDATES:
                false = 0
                for _ in range(repetitions):
                    by = _pick(draw, measured.differences)
                    truth, _ = _chosen(draw, by, candidates)
                    judged = _figures(draw, by, seeds, images, truth)
                    false += difference(judged, np.full((1, images), truth)).above_zero
                row = {"seeds": seeds, "images": images, "candidates": candidates, "false": false / repetitions}
                rows.append(row)
    return rows


def _contrast(measured: _Kinds, repetitions: int) -> list[dict[str, Any]]:
    """Return the coverage of the percentile bootstrap over seeds, and false promotions if the choosing figures also judge."""
    draw, rows = np.random.default_rng(_DRAW + 2), []
    for seeds in (2, 3):
        hits = 0
        for _ in range(repetitions):
            values = draw.normal(0.0, 1.0, seeds)
            means = draw.choice(values, (400, seeds)).mean(axis=1)
            low, high = np.percentile(means, [2.5, 97.5])
            hits += low <= 0.0 <= high
        rows.append(
            {"kind": "percentile bootstrap over seeds", "seeds": seeds, "images": 1, "coverage": hits / repetitions}
        )
    hard = Components(3.0, 1.0, 1.0)
    for seeds in (2, 3, 5):
        found = _coverage(repetitions, lambda n=seeds: (_interval(_figures(draw, hard, n, 9)), 0.0))  # type: ignore[misc]
        kind = "these intervals where seeds vary three times as much as images"
        rows.append({"kind": kind, "seeds": seeds, "images": 9, "coverage": found})
    false = 0
    for _ in range(repetitions):
        by = _pick(draw, measured.differences)
        truth, looked = _chosen(draw, by, _BEST_OF)
        false += difference(looked, np.full((1, _CHOICE_IMAGES), truth)).above_zero
    kind = f"promotion of the best of {_BEST_OF}, tested on the figures that chose it"
    rows.append({"kind": kind, "seeds": _CHOICE_SEEDS, "images": _CHOICE_IMAGES, "false": false / repetitions})
    return rows


def run_intervals(bench: Bench) -> None:
    """Simulate and print."""
    measured, repetitions = measured_components(), 1000 if bench.quick else 40_000
    bench.say(
        f"{len(measured.means)} measured rows, {len(measured.differences)} differences; {repetitions} repetitions"
    )
    intervals = _rows(bench, measured, repetitions)
    promotion, contrast = _promotions(measured, repetitions // 4), _contrast(measured, repetitions // 4)
    low, high = (pick(row["coverage"] for row in intervals) for pick in (min, max))
    worst = max(row["false"] for row in promotion)
    about = {"n": f"{repetitions} repetitions of an interval, {repetitions // 4} of a promotion", "seed": _DRAW}
    bench.record.put("intervals", intervals, **about)
    bench.record.put("promotion", promotion, **about)
    bench.record.put("contrast", contrast, **about)
    bench.record.put(
        "simulation",
        {
            "repetitions": {"intervals": repetitions, "promotion": repetitions // 4},
            "seed": _DRAW,
            "components": measured.files,
            "rows": len(measured.means),
            "differences": len(measured.differences),
            "lowest": low,
            "highest": high,
            "most_false": worst,
        },
        **about,
    )
    kinds = dict.fromkeys(row["kind"] for row in intervals)
    cells = [
        [kind, seeds, *(f"{100 * _of(intervals, kind, seeds, images):.1f}" for images in _IMAGES)]
        for kind in kinds
        for seeds in _SEEDS
    ]
    heads = ["coverage of 95 % intervals, in %", "seeds", *(f"{n} image{'s' * (n > 1)}" for n in _IMAGES)]
    error = 100 * (0.05 * 0.95 / repetitions) ** 0.5
    notes = [
        f"from {100 * low:.1f} to {100 * high:.1f} %; {repetitions} repetitions each, standard error {error:.2f}",
        f"false promotions: at most {100 * worst:.1f} % of {repetitions // 4} repetitions, over {len(promotion)} sizes from "
        f"{LEAST_SEEDS} seeds and {LEAST_IMAGES} images up",
        *(
            f"for contrast: {row['kind']}, {row['seeds']} seeds: {100 * row.get('coverage', row.get('false', 0.0)):.0f} %"
            for row in contrast
        ),
    ]
    bench.table("intervals", heads, cells, notes)


def _of(rows: Sequence[dict[str, Any]], kind: str, seeds: int, images: int) -> float:
    return next(float(r["coverage"]) for r in rows if (r["kind"], r["seeds"], r["images"]) == (kind, seeds, images))
