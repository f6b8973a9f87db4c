"""Measure a network, or bicubic, on a set of images with the papers' protocol.

    python experiments/evaluate.py --model champion --data Set5 --scale 3
    python experiments/evaluate.py --model official:9-5-5 --data Set5 --scale 3
    python experiments/evaluate.py --model models:/srcnn-x3@champion --data Set14
    python experiments/evaluate.py --model network.safetensors --data my/photos --json scores.json
    python experiments/evaluate.py --model champion --data Set5 --scale 3 --ensemble

Models: champion (comes with the package), registry (the champion of your searches in MLflow), the id of a trial's run in MLflow,
a file of this package (.safetensors) or of the SRCNN authors (.mat), official:9-5-5, models:/NAME@ALIAS, or bicubic.

Every network is also measured on six drawn patterns of full contrast, in less time than Set5. A line warns if it is more than
1 dB behind bicubic on one of them, and --json has all six.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from srcnn.commands.command_line import Parser, run
from srcnn.commands.flag_values import path, text, threads, whole
from srcnn.commands.models import MODEL_HELP, TRACKING_URI, load_model
from srcnn.data.datasets import load
from srcnn.data.known_sets import data_root
from srcnn.errors import ConfigError
from srcnn.evaluation.drawn_patterns import failure, leads, worst
from srcnn.evaluation.ensemble import ENSEMBLE
from srcnn.evaluation.protocol import Evaluation, evaluate
from srcnn.system.device import pick_device
from srcnn.system.folders import check_file
from srcnn.system.json_file import write_json

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--model", "--weights", required=True, type=text, metavar="NAME|FILE", help=MODEL_HELP)
    parser.add_argument(
        "--data", required=True, type=text, metavar="NAME|FOLDER", help="name of a data set, or a folder of images"
    )
    parser.add_argument(
        "--scale", type=whole(2, 4), metavar="{2,3,4}", help="upscaling factor (default: that of the network)"
    )
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="mean of the results for the image in its 8 rotations and reflections, in 8 times the time; the figures say so",
    )
    parser.add_argument(
        "--json",
        type=path,
        metavar="OUT",
        help="file for all results; an infinite PSNR, of equal images, is null there",
    )
    parser.add_argument(
        "--data-root", type=text, metavar="DIR", help="folder of the named sets (default: $SRCNN_DATA, else ./data)"
    )
    parser.add_argument(
        "--tracking-uri", type=text, default=TRACKING_URI, metavar="URI", help=f"MLflow store (default: {TRACKING_URI})"
    )
    parser.add_argument("--skip-bad", action="store_true", help="skip corrupt files and count them")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--threads", type=threads, metavar="N", help="CPU threads (default: that of torch)")
    return parser


def _write(path: Path, evaluation: Evaluation, about: dict[str, object]) -> None:
    records = [{"name": s.name, "psnr": s.psnr, "ssim": s.ssim} for s in evaluation.images]
    mean = {"psnr": evaluation.mean.psnr, "ssim": evaluation.mean.ssim}
    write_json(path, {**about, "images": records, "mean": mean})


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.json is not None:
        check_file(options.json, "--json")
    device = pick_device(options.device)
    network = load_model(options.model, options.scale, tracking_uri=options.tracking_uri, data_root=options.data_root)
    scale = options.scale if network is None else network.config.scale
    images = load(options.data, data_root(options.data_root), skip_bad=options.skip_bad)
    if network is not None:
        network.to(device)
    if options.ensemble and network is None:
        raise ConfigError(f"--ensemble: must be given with a network, but got --model {options.model}")
    evaluation = evaluate(network, images.images, scale, ensemble=options.ensemble)
    named = f", {ENSEMBLE}" if options.ensemble else ""
    table = Table(title=escape(f"{options.model} on {images.name}, x{scale}{named}"), title_justify="left")
    table.add_column("image", overflow="fold")
    table.add_column("PSNR dB", justify="right")
    table.add_column("SSIM", justify="right")
    for i, row in enumerate([*evaluation.images, evaluation.mean], start=1):
        table.add_row(escape(row.name), f"{row.psnr:.2f}", f"{row.ssim:.4f}", end_section=i == len(evaluation.images))
    console = Console()
    console.print(table)
    drawn = {} if network is None else leads(network)
    if drawn and (warning := failure(drawn)):
        console.print(f"warning: {warning}", markup=False, highlight=False, soft_wrap=not console.is_terminal)
    if images.skipped:
        print(f"skipped {len(images.skipped)} unreadable: {', '.join(images.skipped)}")
    if options.json is not None:
        about: dict[str, object] = {"weights": options.model, "data": images.name, "digest": images.digest}
        about |= {"scale": scale, "protocol": evaluation.protocol, "skipped": list(images.skipped)}
        about |= {"patterns": drawn, "pattern_lead_worst": worst(drawn)[1] if drawn else None}
        _write(options.json, evaluation, about)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted, nothing was written")
