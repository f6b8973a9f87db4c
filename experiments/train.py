"""Train one network.

    python experiments/train.py --train T91 --test Set5 --scale 3 --pixels 60e6
    python experiments/train.py --preset paper --train T91 --test Set5 --epochs 100
    python experiments/train.py --preset seed --train BSDS300/train --test BSDS300/test

A preset sets many flags at once, and flags beside it win. default: this project's own recipe. paper: the authors' solver.
seed: the seed article's job, measured by the article's own protocol. Every epoch writes the folder --out, and --resume
FOLDER goes on from there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from srcnn.article import average_psnr
from srcnn.checkpoint import load_network, load_state, save_network, save_state
from srcnn.config import PRESETS, TrainConfig, preset
from srcnn.datasets import ImageSet, data_root, load, split
from srcnn.errors import ConfigError
from srcnn.evaluate import Degraded, evaluate
from srcnn.model import SRCNN, count_macs, count_parameters
from srcnn.patches import degrade_for, prepare
from srcnn.train import EpochResult, fit, pick_device, resolve_precision

from _command import Parser, add_fields, given_fields, run

_EPOCHS = 20  # where neither --epochs nor --pixels nor a preset gives a budget
#: The seed article's spellings.
_ALIASES = {
    "batch_size": ("--batchSize",),
    "test_batch_size": ("--testBatchSize",),
    "epochs": ("--nEpochs",),
    "learning_rate": ("--lr",),
    "scale": ("--upscale_factor", "-uf"),
}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--preset", default="default", metavar="NAME", help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--train", default="sample/train", metavar="NAME|FOLDER", help="training images")
    parser.add_argument("--test", default="sample/test", metavar="NAME|FOLDER", help="test images")
    parser.add_argument(
        "--validation",
        type=int,
        metavar="N",
        help="training images held out to choose the best epoch (default: a tenth)",
    )
    parser.add_argument("--data-root", metavar="DIR", help="where named sets lie (default: $SRCNN_DATA, else ./data)")
    parser.add_argument("--skip-bad", action="store_true", help="leave corrupt files out and count them")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the network goes (default: mlruns/train/...)")
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help="go on with the run in this folder")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1)")
    parser.add_argument("--model", "-m", choices=("srcnn",), help="the article's flag; srcnn is the one model")
    add_fields(parser.add_argument_group("configuration"), TrainConfig, aliases=_ALIASES)  # type: ignore[arg-type]
    return parser


def _config(options: argparse.Namespace) -> TrainConfig:
    given = given_fields(options, TrainConfig)
    fields = {**preset(options.preset), **given}
    if "pixels" in given and "epochs" not in given:
        fields.pop("epochs", None)  # a budget of the command line takes the place of the preset's
    if "epochs" in given and "pixels" not in given:
        fields.pop("pixels", None)
    if fields.get("epochs") is None and fields.get("pixels") is None:
        fields["epochs"] = _EPOCHS
    return TrainConfig(**fields)


@contextmanager
def _bar(console: Console, epochs: int) -> Iterator[Callable[[int, int, int], None]]:
    """A bar for the steps of an epoch; nothing where the output is no terminal."""
    columns = (
        TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None, epoch=1)

        def update(epoch: int, step: int, steps: int) -> None:
            progress.update(task, completed=step, total=steps, epoch=epoch)

        yield update


def _line(result: EpochResult) -> str:
    text = f"epoch {result.epoch}/{result.epochs}: loss {result.loss:.6f}, rate {result.learning_rate:.2e}"
    if result.val_psnr is not None and result.val_gain is not None:
        text += f", validation {result.val_psnr:.2f} dB ({result.val_gain:+.2f} over bicubic)"
    return text + f", {result.pixels / 1e6 / result.seconds:.2f} Mpixel/s, {result.seconds:.1f} s"


def _split(images: ImageSet, count: int | None, config: TrainConfig) -> tuple[ImageSet, ImageSet | None]:
    if count is None:  # the article trains on every image and chooses no epoch
        count = 0 if config.protocol == "article" else min(12, max(1, round(len(images) / 10)))
    return split(images, count, config.seed) if count else (images, None)


def _degraded(images: ImageSet, config: TrainConfig) -> list[Degraded]:
    return [degrade_for(config.protocol, image, config.scale, config.color, name) for name, image in images.images]


def _report(
    console: Console, network: SRCNN, test: ImageSet, config: TrainConfig, prepared: list[Degraded]
) -> dict[str, float]:
    """Print the test figures beside bicubic; return the network's."""
    if config.protocol == "article":
        ours = average_psnr(network, prepared, config.test_batch_size)
        plain = average_psnr(None, prepared, config.test_batch_size)
        console.print(f"Average PSNR: {ours:.4f} dB on {test.name} (bicubic {plain:.4f} dB), the article's protocol")
        return {"psnr": ours, "bicubic": plain}
    found, plain_found = (evaluate(n, test.images, config.scale).mean for n in (network, None))
    console.print(
        f"{test.name} x{config.scale}: PSNR {found.psnr:.2f} dB, SSIM {found.ssim:.4f} "
        f"(bicubic {plain_found.psnr:.2f} dB, {plain_found.ssim:.4f})"
    )
    return {"psnr": found.psnr, "ssim": found.ssim, "bicubic": plain_found.psnr, "bicubic_ssim": plain_found.ssim}


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    config = _config(options)
    if options.threads < 1:
        raise ConfigError(f"--threads: must be at least 1, but got {options.threads}")
    torch.set_num_threads(options.threads)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    device = pick_device(options.device)
    state = None
    folder = options.resume or options.out
    if folder is None:
        folder = Path("mlruns/train") / f"{options.preset}-x{config.scale}-{datetime.now():%Y%m%d-%H%M%S}"
    if options.resume is not None:
        state = load_state(options.resume / "state.safetensors")
        if not given_fields(options, TrainConfig) and options.preset == "default":
            config = state.config
    root = data_root(options.data_root)
    images = load(options.train, root, skip_bad=options.skip_bad)
    training, validation = _split(images, options.validation, config)
    test = load(options.test, root, skip_bad=options.skip_bad)
    test_images = _degraded(test, config) if config.protocol == "article" else []
    data = prepare(training.images, config.scale, color=config.color, protocol=config.protocol)
    held_out = _degraded(validation, config) if validation else []
    console.print(
        f"{config.name}, {config.upsampling}, x{config.scale}: {count_parameters(config)} parameters, "
        f"{count_macs(config):.0f} multiply-adds a pixel; {len(training)} images of {images.name}"
        + (f", {len(held_out)} held out for validation" if held_out else "")
        + f"; {device.type}, {resolve_precision(config.precision, device)}"
    )
    for name in images.skipped + test.skipped:
        console.print(f"skipped, unreadable: {name}")
    started = time.perf_counter()
    result = None
    with _bar(console, config.epochs or 1) as bar:
        for result in fit(config, data, validation=held_out, state=state, device=device, on_step=bar):
            save_state(folder / "state.safetensors", result.state())
            save_network(folder / "network.safetensors", result.best_weights, config, {"epoch": result.best_epoch})
            console.print(_line(result))
            if config.protocol == "article":
                # As the article does after every epoch. Nothing is chosen by it: the last epoch is kept, whatever it says.
                psnr = average_psnr(result.network, test_images, config.test_batch_size)
                console.print(f"  Average PSNR: {psnr:.4f} dB")
    if result is None:
        console.print("the run was complete already")
    network = load_network(folder / "network.safetensors").to(device)
    figures = _report(console, network, test, config, test_images)
    (folder / "result.json").write_text(
        json.dumps({"test": test.name, **figures, "seconds": time.perf_counter() - started}, indent=2) + "\n", "utf-8"
    )
    console.print(f"network: {folder / 'network.safetensors'}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return run(lambda: _main(argv), "interrupted; --resume FOLDER goes on from the last epoch")


if __name__ == "__main__":
    sys.exit(main())
