"""Section ``leak``: what the training image that shows a test image was worth.

BSDS300/train has 302003, which is Set5's ``woman`` at 0.71 of its size, so the 291 images on which many networks were trained
(T91+BSDS300/train; Kim, Lee and Lee, VDSR, CVPR 2016, section 4.1) contain a test image. The seven-layer chain of
`_bench.trainings` is trained on the 291 images and on the 290 others, with the same seeds and the same ``--budget`` of pixels,
and measured on Set5: all five images, ``woman`` alone, and the four others, which show the difference of chance.

Nothing is chosen by these figures. Without the sets the section is skipped: there is no leak in the bundled sample, with which
``--quick`` only tries the section.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from srcnn.data.datasets import load
from srcnn.data.known_sets import data_root
from srcnn.errors import DataError
from srcnn.tuning.trials.intervals import Interval, difference

from _bench.record import Bench
from _bench.trainings import CHAIN, Training, pool_of, results_of, sets_here

__all__ = ["WAYS", "figures", "run_leak"]

WAYS = ("with", "without")
_TRAIN, _TEST = "T91+BSDS300/train", "Set5"
_IMAGE, _SHOWN = "BSDS300/train/302003", "woman"
_FIRST_SEED, _WANTED = 1, 5
_QUICK_PIXELS = 6e4


def run_leak(bench: Bench) -> None:
    """Measure and print. Trainings that are in the file do not run again."""
    root = data_root(bench.data_root)
    wanted = (*_TRAIN.split("+"), _TEST)
    if not bench.quick and len(sets_here(wanted, root)) < len(wanted):
        bench.say(f"leak: skipped, because {', '.join(wanted)} are not all on disk")
        return
    train, test = ("sample/train", "sample/test") if bench.quick else (_TRAIN, _TEST)
    images = load(train, root)
    names = tuple(name for name, _ in images.images)
    tests = tuple(name for name, _ in load(test, root).images)
    leaking = names[0] if bench.quick else _IMAGE
    shown = tests[0] if bench.quick else next((name for name in tests if name.startswith(_SHOWN)), "")
    if leaking not in names or not shown:
        raise DataError(f"{train}: must have {leaking}, and {test} must have {_SHOWN}, but one of them is missing")
    about: dict[str, Any] = {
        "train": train,
        "digest": images.digest,
        "images": len(images),
        "leaking": leaking,
        "shows": shown,
        "test": test,
        "names": list(tests),
        "pixels": _QUICK_PIXELS if bench.quick else bench.budget,
        "base": dict(CHAIN),
    }
    before = bench.record.get("leak")
    same = isinstance(before, dict) and all(before.get(name) == value for name, value in about.items())
    result: dict[str, Any] = before if same else {**about, "runs": {}}
    base = Training({}, train, names, test, tests, bench.data_root)
    scales = bench.scales[:1] if bench.quick else bench.scales
    with pool_of(bench.jobs) as pool:
        for seed in (_FIRST_SEED + i for i in range(2 if bench.quick else bench.seeds)):
            jobs = {}
            for scale in scales:
                for way in WAYS:
                    name = f"x{scale} {way} seed {seed}"
                    config = {**CHAIN, "scale": scale, "seed": seed, "pixels": result["pixels"]}
                    seen = names if way == "with" else tuple(one for one in names if one != leaking)
                    extra = {"way": way, "scale": scale, "seed": seed}
                    if name not in result["runs"]:
                        jobs[name] = replace(base, config=config, names=seen, extra=extra)
            for name, found in results_of(pool, jobs):
                result["runs"][name] = found
                _keep(bench, result)
                shown_figure = found.get("failure") or f"{statistics.fmean(found['psnr']):.3f} dB"
                bench.say(f"{name}: {shown_figure}, {found['core_seconds']:.0f} core-s")
    _keep(bench, result)
    _show(bench, result)


def figures(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each scale and group of test images the PSNR of both ways, and their difference over paired seeds.

    The groups: all test images, the one that the leaking image shows, and the others.
    """
    names = result["names"]
    there = [name == result["shows"] for name in names]
    groups = {"all": [True] * len(names), result["shows"]: there, "the others": [not one for one in there]}
    found = []
    for scale in sorted({run["scale"] for run in result["runs"].values()}):
        here = {
            way: {
                run["seed"]: run["psnr"]
                for run in result["runs"].values()
                if (run["scale"], run["way"]) == (scale, way) and "psnr" in run
            }
            for way in WAYS
        }
        seeds = sorted(set(here["with"]) & set(here["without"]))
        if not seeds:
            continue
        for group, chosen in groups.items():
            ours, others = (np.array([here[way][seed] for seed in seeds])[:, chosen] for way in WAYS)
            found.append(
                {
                    "scale": scale,
                    "images": group,
                    "n": len(seeds),
                    "with": float(ours.mean()),
                    "without": float(others.mean()),
                    "worth": difference(ours, others, images_vary=False).to_json(),
                }
            )
    return found


def _keep(bench: Bench, result: dict[str, Any]) -> None:
    result["figures"] = figures(result)
    seeds = sorted({run["seed"] for run in result["runs"].values()})
    counts = {row["scale"]: row["n"] for row in result["figures"]}
    result["complete"] = all(counts.get(scale, 0) >= _WANTED for scale in (2, 3, 4))
    bench.record.put("leak", result, n=f"{len(seeds)} seeds for each way", seed=seeds)


def _show(bench: Bench, result: Mapping[str, Any]) -> None:
    rows = [
        [
            f"x{row['scale']} {row['images']}",
            row["n"],
            f"{row['with']:.3f}",
            f"{row['without']:.3f}",
            Interval.from_json(row["worth"]).signed(),
        ]
        for row in result["figures"]
    ]
    notes = [
        f"seven layers, {result['pixels'] / 1e6:g} million pixels a training on the {result['images']} images of "
        f"{result['train']}, with and without {result['leaking']}",
        "worth: pairs with the same seed, with their 95 % interval over seeds",
        *([] if result["complete"] else [f"not complete: {_WANTED} seeds at x2, x3 and x4 are wanted"]),
    ]
    heads = [f"scale, images of {result['test']}", "n", "with, dB", "without, dB", "worth, dB"]
    bench.table("one leaking image", heads, rows, notes)
