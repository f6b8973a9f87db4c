"""Train one network.

    python experiments/train.py --train T91 --test Set5 --scale 3 --pixels 60e6
    python experiments/train.py --preset paper --train T91 --test Set5 --epochs 100
    python experiments/train.py --preset article --train BSDS300/train --test BSDS300/test
    python experiments/train.py --train T91 --scale 3 --start mlruns/train/x2/network.safetensors

A preset sets many flags at once; other flags take precedence over it. default: the settings of this project. paper:
those of the SRCNN authors. article: those of the article in srcnn/evaluation/article.py, with its evaluation protocol.
The folder --out is written after every epoch, and --resume FOLDER resumes the run.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from srcnn.champions.start import StartNetwork, checked, header_of, named_start, refusal, seen
from srcnn.commands.command_line import Parser, add_fields, given_fields, run
from srcnn.commands.flag_values import path, text, threads, whole
from srcnn.commands.main import need_platform
from srcnn.commands.models import TRACKING_URI
from srcnn.config.presets import PRESETS, preset
from srcnn.config.quantities import counted
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.data.known_sets import data_root
from srcnn.errors import CheckpointError, ConfigError, DataError
from srcnn.evaluation.article import average_psnr
from srcnn.evaluation.degradation import Degraded
from srcnn.evaluation.drawn_patterns import failure, leads, worst
from srcnn.evaluation.protocol import evaluate
from srcnn.model.network import SRCNN, count_macs, count_parameters
from srcnn.model.shared_layers import check_shared, shapes_of, shared_layers
from srcnn.model.weights_file import load_network, save_network
from srcnn.overlap.leaks import Divided, divide, footnote, lines, marked
from srcnn.system.bounded_read import parse_json, read_text
from srcnn.system.device import pick_device, resolve_precision
from srcnn.system.folders import check_folder
from srcnn.system.json_file import write_json
from srcnn.system.source_commit import source_commit
from srcnn.training.checkpoint import load_state, save_state
from srcnn.training.fit import EpochResult, fit
from srcnn.training.memory import check_step
from srcnn.training.patch_cache import prepare_cached
from srcnn.training.patches import degrade_for

__all__ = ["main"]

_NETWORK, _STATE, _RUN = "network.safetensors", "state.safetensors", "run.json"
_EPOCHS = 20  # default budget without --epochs, --pixels or a preset with a budget
#: Flag names of the article.
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
    parser.add_argument("--train", type=text, metavar="NAME|FOLDER", help="training images (default: sample/train)")
    parser.add_argument("--test", type=text, metavar="NAME|FOLDER", help="test images (default: sample/test)")
    parser.add_argument(
        "--validation",
        type=whole(0, 1_000_000),
        metavar="N",
        help="number of training images held out for choosing the best epoch (default: a tenth)",
    )
    parser.add_argument(
        "--data-root", type=text, metavar="DIR", help="folder of the named sets (default: $SRCNN_DATA, else ./data)"
    )
    parser.add_argument("--skip-bad", action="store_true", help="skip corrupt files and count them")
    parser.add_argument(
        "--allow-overlap",
        action="store_true",
        default=None,
        help="keep training and validation images that show a test image, and mark the results (default: leave them out)",
    )
    parser.add_argument("--out", type=path, metavar="FOLDER", help="folder for the network (default: mlruns/train/...)")
    parser.add_argument("--resume", type=path, metavar="FOLDER", help="resume the run in this folder")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--threads", type=threads, default=1, metavar="N", help="CPU threads (default: 1)")
    parser.add_argument("--model", "-m", choices=("srcnn",), help="flag of the article; srcnn is the only model")
    parser.add_argument(
        "--tracking-uri",
        type=text,
        default=TRACKING_URI,
        metavar="URI",
        help=f"MLflow store of --start models:/... (default: {TRACKING_URI})",
    )
    add_fields(parser.add_argument_group("configuration"), TrainConfig, aliases=_ALIASES)
    return parser


def _config(options: argparse.Namespace) -> TrainConfig:
    given = given_fields(options, TrainConfig)
    fields = {**preset(options.preset), **given}
    if "pixels" in given and "epochs" not in given:
        fields.pop("epochs", None)  # a budget on the command line replaces that of the preset
    if "epochs" in given and "pixels" not in given:
        fields.pop("pixels", None)
    if fields.get("epochs") is None and fields.get("pixels") is None:
        fields["epochs"] = _EPOCHS
    return TrainConfig(**fields)


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[int, int, int], None]]:
    """Yield a function that updates a progress bar for the steps of an epoch. Nothing is shown without a terminal."""
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None, epoch=1)

        def update(epoch: int, step: int, steps: int) -> None:
            progress.update(task, completed=step, total=steps, epoch=epoch)

        yield update


def _line(result: EpochResult, short: bool) -> str:
    """Return the line of an epoch; a short one fits a terminal of 80 columns."""
    text = f"epoch {result.epoch}/{result.epochs}: loss {result.loss:.6f}"
    if not short:
        text += f", rate {result.learning_rate:.2e}"
    if result.val_psnr is not None and result.val_gain is not None:
        text += f", validation {result.val_psnr:.2f} dB ({result.val_gain:+.2f} over bicubic)"
    if not short:
        text += f", {result.pixels / 1e6 / result.seconds:.2f} Mpixel/s"
    return f"{text}, {result.seconds:.1f} s"


def _divide(images: ImageSet, test: ImageSet, job: _Job, config: TrainConfig) -> Divided:
    count = job.validation
    if count is None:  # the article trains on all images and does not choose an epoch
        count = 0 if config.protocol == "article" else min(12, max(1, round(len(images) / 10)))
    return divide(images, count, config.seed, [test], allow_overlap=job.allow_overlap)


def _degraded(images: ImageSet, config: TrainConfig) -> list[Degraded]:
    return [degrade_for(config.protocol, image, config.scale, config.color, name) for name, image in images.images]


def _report(
    console: Console, network: SRCNN, test: ImageSet, name: str, config: TrainConfig, prepared: list[Degraded]
) -> dict[str, float]:
    """Print the test metrics and those of bicubic; return the metrics of the network."""
    if config.protocol == "article":
        ours = average_psnr(network, prepared, config.test_batch_size)
        plain = average_psnr(None, prepared, config.test_batch_size)
        console.print(f"Average PSNR: {ours:.4f} dB on {name} (bicubic {plain:.4f} dB), the article's protocol")
        return {"psnr": ours, "bicubic": plain}
    found, plain_found = (evaluate(n, test.images, config.scale, color=config.color).mean for n in (network, None))
    console.print(
        f"{name} x{config.scale}: PSNR {found.psnr:.2f} dB, SSIM {found.ssim:.4f} "
        f"(bicubic {plain_found.psnr:.2f} dB, {plain_found.ssim:.4f})"
    )
    return {"psnr": found.psnr, "ssim": found.ssim, "bicubic": plain_found.psnr, "bicubic_ssim": plain_found.ssim}


@dataclass(frozen=True)
class _Job:
    """The settings of a run other than its configuration; stored in its folder, so that --resume needs no flags."""

    train: str
    test: str
    validation: int | None
    digest: str = ""  #: digest of the training images
    allow_overlap: bool = False
    commit: str = ""  #: git commit of the code; several with commas if it was resumed with another one
    versions: dict[str, str] = field(default_factory=dict)  #: of the libraries, by name

    @classmethod
    def read(cls, folder: Path) -> _Job:
        try:
            return cls(**parse_json(read_text(folder / _RUN)))
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(f"{folder / _RUN}: cannot be read ({error})") from None


def _job(options: argparse.Namespace) -> _Job:
    """Return the settings from the flags or, for --resume, from the folder; flags given again must agree with it."""
    if options.resume is None:
        train, test = options.train or "sample/train", options.test or "sample/test"
        return _Job(train, test, options.validation, allow_overlap=bool(options.allow_overlap))
    job = _Job.read(options.resume)
    for name in ("train", "test", "validation", "allow_overlap"):
        given, kept = getattr(options, name), getattr(job, name)
        if given not in (None, kept):
            raise ConfigError(
                f"--{name.replace('_', '-')}: must be {kept} as in the run in {options.resume}, but got {given}"
            )
    return job


def _stamped(job: _Job, digest: str) -> _Job:
    """Add the training set's digest, and the code and libraries that train now."""
    commits = [commit for commit in job.commit.split(", ") if commit]
    versions = {name: version(name) for name in ("torch", "numpy")} | {"python": platform.python_version()}
    return replace(job, digest=digest, commit=", ".join(dict.fromkeys([*commits, source_commit()])), versions=versions)


def _start(config: TrainConfig, options: argparse.Namespace, *, resumed: bool) -> StartNetwork | None:
    """Return the network that the run starts from; None: random weights, or the state of the run, which has them.

    A resumed run reads the network only if the flag is given again, to compare it.
    """
    if config.start == "random" or (resumed and options.start is None):
        return None
    if not config.start.startswith("models:/"):
        return checked(named_start(config.start), config.start_digest)
    need_platform(config.start)
    from srcnn.tuning.tracking.registry import read_start

    return checked(read_start(options.tracking_uri, config.start), config.start_digest)


def _start_warnings(start: StartNetwork, pool: str, parts: Divided, test: ImageSet, *, allow: bool) -> list[str]:
    """Return warnings about the images that a start network was trained on, one sentence each.

    Raises:
        DataError: it was trained on an image that this run measures, and that is not allowed.
    """
    held_out = [] if parts.validation is None else [name for name, _ in parts.validation.images]
    found = seen(start, pool, held_out, [test.name])
    if found.images and not allow:
        raise DataError(refusal(start, found.images))
    shown = f"{counted(len(found.images), 'measured image')} of which it was trained on, so their figures are too high"
    return [*([f"kept on request (--allow-overlap): {start.name}, {shown}"] if found.images else []), *found.doubts]


def _folder(options: argparse.Namespace, config: TrainConfig) -> Path:
    folder: Path = options.resume or options.out
    if folder is None:
        folder = Path("mlruns/train") / f"{options.preset}-x{config.scale}-{datetime.now():%Y%m%d-%H%M%S}"
    elif options.resume is None and (folder / _STATE).exists():  # without one, it ended before its first epoch
        raise ConfigError(f"--out: {folder} already contains a run; --resume continues it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out: {folder} cannot be created ({error.strerror})") from None
    return folder


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    device = pick_device(options.device)
    if options.out is not None:
        check_folder(options.out, "--out")
    console = Console(soft_wrap=True, highlight=False, markup=False)
    job = _job(options)
    state = None if options.resume is None else load_state(options.resume / _STATE)
    if state is not None and options.preset == "default":
        config = state.config.replace(**given_fields(options, TrainConfig))
    else:
        config = _config(options)
    check_step(config, device)
    start = _start(config, options, resumed=state is not None)
    if start is not None:
        config = config.replace(start_digest=start.digest)
        if state is None:  # a resumed run has its weights
            check_shared(config, shapes_of(start.weights), start.name)
    root = data_root(options.data_root)
    images = load(job.train, root, skip_bad=options.skip_bad)
    if job.digest not in ("", images.digest):
        raise CheckpointError(f"--train: {job.train} must have digest {job.digest}, as before, but has {images.digest}")
    test = load(job.test, root, skip_bad=options.skip_bad)
    parts = _divide(images, test, job, config)
    training, validation = parts.training, parts.validation
    warnings = [] if start is None else _start_warnings(start, images.name, parts, test, allow=job.allow_overlap)
    test_images = _degraded(test, config) if config.protocol == "article" else []
    data = prepare_cached(
        training, config.scale, color=config.color, protocol=config.protocol, copies=config.reduced_copies
    )
    held_out = _degraded(validation, config) if validation else []
    held_names = [name for name, _ in validation.images] if validation else []
    origin = header_of(training, held_names, [test], parts.left_out, parts.kept)
    weights = None if start is None else start.weights
    shown: list[Callable[[int, int, int], None]] = []  # the bar, once there is one
    epochs = fit(  # checks everything before something is written
        config, data, validation=held_out, state=state, start=weights, device=device, on_step=lambda *at: shown[0](*at)
    )
    folder = _folder(options, config)
    write_json(folder / _RUN, asdict(_stamped(job, images.digest)))
    console.print(
        f"{config.name}, {config.upsampling}, x{config.scale}: {count_parameters(config)} parameters, "
        f"{count_macs(config):.0f} multiply-adds per pixel"
    )
    console.print(
        f"{counted(len(training), 'image')} of {images.name}"
        + (f", {len(held_out)} held out for validation" if held_out else "")
        + f"; {device}, {resolve_precision(config.precision, device)}"
    )
    for line in lines(parts.left_out, parts.kept):
        console.print(line)
    if start is not None and state is None:
        taken = [str(layer + 1) for layer in shared_layers(config, shapes_of(start.weights))]
        console.print(f"starts from {start.name} ({start.digest[:16]}): layers {', '.join(taken) or 'none'}")
    for line in warnings:
        console.print(f"warning: {line}")
    for name in images.skipped + test.skipped:
        console.print(f"skipped, unreadable: {name}")
    started = time.perf_counter()
    result = None
    with _bar(console) as bar:
        shown.append(bar)
        for result in epochs:
            save_network(folder / _NETWORK, result.best_weights, config, {"epoch": result.best_epoch, **origin})
            save_state(folder / _STATE, result.state())
            console.print(_line(result, short=console.is_terminal and console.width < 110))
            if config.protocol == "article":
                # As in the article, after every epoch. It does not affect the result: the last epoch is always kept.
                psnr = average_psnr(result.network, test_images, config.test_batch_size)
                console.print(f"  Average PSNR: {psnr:.4f} dB")
    if result is None:
        console.print("the run was already complete")
    network = load_network(folder / _NETWORK).to(device)
    figures = _report(console, network, test, marked(test.name, parts.kept), config, test_images)
    if parts.kept:
        console.print(footnote(parts.kept))
    record = {"test": test.name, **figures, "seconds": time.perf_counter() - started}
    record |= {name: [asdict(leak) for leak in getattr(parts, name)] for name in ("left_out", "kept")}
    drawn = {} if config.protocol == "article" else leads(network)  # the patterns are degraded by the other protocol
    record |= {"pattern_lead_worst": worst(drawn)[1] if drawn else None}
    write_json(folder / "result.json", record)
    if drawn and (warning := failure(drawn)):
        console.print(f"warning: {warning}")
    console.print(f"network: {folder / _NETWORK}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted; --resume FOLDER continues after the last epoch")
