"""Measure a network, or bicubic, on a set of images with the papers' protocol.

    python experiments/evaluate.py --weights bicubic --data sample/test --scale 3
    python experiments/evaluate.py --weights "weights/srcnn-official/9-5-5(ImageNet)/x3.mat" --data Set5 --scale 3
    python experiments/evaluate.py --weights network.safetensors --data my/photos --json scores.json

Weights are a checkpoint of this package (.safetensors), the authors' released file (.mat), or the word bicubic.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from srcnn.commands.command_line import Parser, run
from srcnn.data.datasets import load
from srcnn.data.known_sets import data_root
from srcnn.errors import ConfigError
from srcnn.evaluation.protocol import Evaluation, evaluate
from srcnn.model.network import SRCNN
from srcnn.model.official_weights import load_official
from srcnn.model.weights_file import load_network
from srcnn.system.atomic_file import atomic_write
from srcnn.system.device import pick_device


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--weights", required=True, metavar="FILE|bicubic", help=".safetensors, .mat, or bicubic")
    parser.add_argument(
        "--data", required=True, metavar="NAME|FOLDER", help="name of a data set, or a folder of images"
    )
    parser.add_argument(
        "--scale", type=int, choices=(2, 3, 4), help="upscaling factor (default: that of the checkpoint)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for all results")
    parser.add_argument(
        "--data-root", metavar="DIR", help="folder of the named sets (default: $SRCNN_DATA, else ./data)"
    )
    parser.add_argument("--skip-bad", action="store_true", help="skip corrupt files and count them")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: that of torch)")
    return parser


def _network(weights: str, scale: int | None) -> tuple[SRCNN | None, int]:
    """Return the network and the scale for the measurement."""
    if weights == "bicubic" or weights.endswith(".mat"):
        if scale is None:
            raise ConfigError(f"--scale: must be given as 2, 3 or 4, because {weights} does not contain it")
        return (None if weights == "bicubic" else load_official(Path(weights), scale)), scale
    network = load_network(Path(weights))
    own = network.config.scale
    if scale not in (None, own):
        raise ConfigError(f"--scale: must be {own} for {weights}, but got {scale}")
    return network, own


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no infinity, the PSNR of two equal images


def _write(path: Path, evaluation: Evaluation, about: dict[str, object]) -> None:
    records = [{"name": s.name, "psnr": _number(s.psnr), "ssim": _number(s.ssim)} for s in evaluation.images]
    mean = {"psnr": _number(evaluation.mean.psnr), "ssim": _number(evaluation.mean.ssim)}
    with atomic_write(path) as file:
        file.write_text(json.dumps({**about, "images": records, "mean": mean}, indent=2) + "\n", encoding="utf-8")


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    if options.threads is not None:
        if options.threads < 1:
            raise ConfigError(f"--threads: must be at least 1, but got {options.threads}")
        torch.set_num_threads(options.threads)
    if options.json is not None and (options.json.is_dir() or any(p.is_file() for p in options.json.parents)):
        raise ConfigError(f"--json: must be a file in an existing folder, but got {options.json}")
    device = pick_device(options.device)
    network, scale = _network(options.weights, options.scale)
    images = load(options.data, data_root(options.data_root), skip_bad=options.skip_bad)
    if network is not None:
        network.to(device)
    evaluation = evaluate(network, images.images, scale)
    table = Table(title=escape(f"{options.weights} on {images.name}, x{scale}"), title_justify="left")
    table.add_column("image")
    table.add_column("PSNR dB", justify="right")
    table.add_column("SSIM", justify="right")
    for i, row in enumerate([*evaluation.images, evaluation.mean], start=1):
        table.add_row(escape(row.name), f"{row.psnr:.2f}", f"{row.ssim:.4f}", end_section=i == len(evaluation.images))
    Console().print(table)
    if images.skipped:
        print(f"skipped {len(images.skipped)} unreadable: {', '.join(images.skipped)}")
    if options.json is not None:
        about: dict[str, object] = {"weights": options.weights, "data": images.name, "digest": images.digest}
        _write(
            options.json, evaluation, {**about, "scale": scale, "protocol": "srcnn", "skipped": list(images.skipped)}
        )
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted, nothing was written")


if __name__ == "__main__":
    sys.exit(main())
