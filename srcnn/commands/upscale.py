"""Enlarge photos: files and whole folders, in colour, with alpha, profile, EXIF and XMP.

    python experiments/upscale.py photo.jpg --scale 3
    python experiments/upscale.py holiday/ more/*.png --scale 2 --out large --compare
    python experiments/upscale.py scan.tif --size 4000x3000 --model official:9-5-5 --format png

Y goes through the network, Cb and Cr are enlarged by bicubic. Reads JPEG, PNG, TIFF, WebP, GIF, BMP, PPM, JPEG 2000 and
AVIF; writes JPEG, PNG, TIFF and WebP, in the format of the photo where it is one of these, else PNG. 16 bits stay 16 bits
in PNG and TIFF. The result of photo.jpg is photo_x3.jpg beside it, or photo.jpg in the folder of --out. Nothing is written
over without --force. A folder that was interrupted goes on with the same command. Exit code 1 if some photos failed, 2
after a mistake, when nothing was written.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from srcnn.champions.shipped import SCALES, size_of_name
from srcnn.commands.command_line import Parser, run
from srcnn.commands.flag_values import path, text, threads, whole
from srcnn.commands.models import MODEL_HELP, TRACKING_URI, load_model
from srcnn.commands.upscale_display import Display, JsonLines, Lines, ProgressBar, Tally
from srcnn.config.quantities import parse_pixels
from srcnn.errors import ConfigError, SRCNNError
from srcnn.model.network import SRCNN
from srcnn.system.folders import check_folder
from srcnn.system.printable import printable
from srcnn.upscaling.compare import write_comparison
from srcnn.upscaling.enlarge import Networks, empty_image, enlarge_image, passes
from srcnn.upscaling.folders import find_photos, remember
from srcnn.upscaling.photo_reading import MAX_PIXELS, Photo
from srcnn.upscaling.photo_writing import Encoding, format_of, parse_color
from srcnn.upscaling.pipeline import Enlarge, Event, Job, run_jobs
from srcnn.upscaling.plan import Plan, Target, Wishes, make_plan, parse_scale, parse_size

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="upscale", description=__doc__)
    parser.add_argument(
        "photos", nargs="+", type=path, metavar="PHOTO", help="file, or folder with everything below it"
    )
    parser.add_argument("--scale", metavar="N", help="factor, whole or not (default: 3)")
    parser.add_argument(
        "--size", metavar="WxH", help="instead of a factor: the largest result that fits in W x H pixels"
    )
    parser.add_argument(
        "--model", type=text, default="champion", metavar="NAME", help=f"{MODEL_HELP} (default: champion)"
    )
    parser.add_argument("--out", type=path, metavar="FOLDER", help="folder for the results; needed for folders")
    parser.add_argument("--format", metavar="NAME", help="png, jpeg, webp or tiff (default: that of the photo)")
    parser.add_argument(
        "--quality", type=whole(1, 100), default=95, metavar="N", help="of JPEG and WebP, 1 to 100 (default: 95)"
    )
    parser.add_argument(
        "--background", metavar="COLOR", help="white, black or #rrggbb below transparent pixels, for JPEG"
    )
    parser.add_argument(
        "--first-page", action="store_true", help="take the first picture of animated and multi-page files"
    )
    parser.add_argument(
        "--max-pixels",
        default=str(MAX_PIXELS),
        metavar="N",
        help="the most pixels of a photo or a result (default: 1G)",
    )
    parser.add_argument(
        "--compare", action="store_true", help="also write NAME_compare.png: bicubic, result, magnified part"
    )
    parser.add_argument("--force", action="store_true", help="write over existing files")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="default: auto")
    parser.add_argument("--threads", type=threads, metavar="N", help="CPU threads (default: that of torch)")
    parser.add_argument(
        "--data-root",
        type=text,
        metavar="DIR",
        help="folder of the authors' weights (default: $SRCNN_DATA, else ./data)",
    )
    parser.add_argument(
        "--tracking-uri", type=text, default=TRACKING_URI, metavar="URI", help="MLflow store of registry and runs"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each event, for programs")
    parser.add_argument("-q", "--quiet", action="store_true", help="print failures only")
    return parser


def _target(options: argparse.Namespace) -> Target:
    if options.size is not None:
        if options.scale is not None:
            raise ConfigError(f"--size: must be given without --scale, but got {options.size} and {options.scale}")
        return Target(box=parse_size(options.size))
    return Target(parse_scale("3" if options.scale is None else options.scale))


def _encoding(options: argparse.Namespace) -> Encoding:
    try:
        form = None if options.format is None else format_of(options.format)
    except ConfigError as error:
        raise ConfigError(f"--format: {error}") from None
    try:
        background = None if options.background is None else parse_color(options.background)
    except ConfigError as error:
        raise ConfigError(f"--background: {str(error).removeprefix('color: ')}") from None
    return Encoding(form, options.quality, background)


def _networks(options: argparse.Namespace, target: Target) -> Networks:
    """Return what `srcnn.upscaling.enlarge.upscale` takes, after a first look, so that a wrong name ends the command now."""
    name = options.model
    if name == "bicubic":
        return "bicubic"
    load = partial(load_model, name, tracking_uri=options.tracking_uri, data_root=options.data_root, option="--model")
    by_scale = bool(size_of_name(name)) or name == "registry" or name.startswith("official:") or name.endswith(".mat")
    if not by_scale:
        return load(None)
    known = cache(load)
    if name.endswith(".mat"):  # a file of the authors is for one scale and does not say for which
        scale = int(target.scale) if target.box is None and target.scale in (2, 3, 4) else 0
        if not scale:
            raise ConfigError(
                f"--scale: must be 2, 3 or 4 for {name}, the one that it was trained for, but got {target}"
            )
        return known(scale)
    if target.box is None:
        for one in passes(target.scale):
            known(one)
    elif not any(_found(known)):
        known(SCALES[0])  # says why
    return known


def _found(networks: Callable[[int], SRCNN | None]) -> list[SRCNN | None]:
    """Return the networks of the scales that have one: a registry need not have all, and a size may need any."""
    found = []
    for scale in SCALES:
        with suppress(SRCNNError):
            found.append(networks(scale))
    return found


def _digest(network: SRCNN | None) -> str:
    """Return the first digits of a digest of configuration and weights."""
    if network is None:
        return "none"
    digest = hashlib.sha256(network.config.model_dump_json().encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _settings(options: argparse.Namespace, target: Target, encoding: Encoding, networks: Networks) -> str:
    """Return everything that a result depends on besides its photo."""
    if networks is None or isinstance(networks, str):
        model = str(networks)
    else:
        if isinstance(networks, SRCNN):
            used: list[SRCNN | None] = [networks]
        else:
            used = _found(networks) if target.box else [networks(scale) for scale in passes(target.scale)]
        model = "+".join(dict.fromkeys(map(_digest, used)))
    parts = (options.model, model, target, options.precision, encoding, options.first_page)
    return "|".join(map(str, parts))


def _enlarger(options: argparse.Namespace, target: Target, networks: Networks) -> Enlarge:
    """Return the function that enlarges one photo."""

    def enlarge(photo: Photo, progress: Callable[[int, int], None]) -> Any:
        height, width = photo.pixels.shape[:2]
        wide, high = target.size(width, height)
        return enlarge_image(
            photo.pixels,
            empty_image((high, wide, *photo.pixels.shape[2:]), photo.pixels.dtype),
            size=(wide, high),
            network=networks,
            precision=options.precision,
            threads=options.threads,
            progress=progress,
            max_pixels=1 << 62,  # checked with the file's name
        )

    return enlarge


def _display(options: argparse.Namespace) -> Display:
    if options.json:
        return JsonLines()
    if options.quiet or not sys.stdout.isatty():
        return Lines(quiet=options.quiet)
    return ProgressBar()


def _check_flags(options: argparse.Namespace) -> None:
    out = options.out
    if out is not None:
        check_folder(out, "--out")


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    _check_flags(options)
    target, encoding = _target(options), _encoding(options)
    max_pixels = int(parse_pixels(options.max_pixels, "--max-pixels"))
    networks = _networks(options, target)
    wishes = Wishes(
        target,
        encoding,
        options.out,
        _settings(options, target, encoding, networks),
        force=options.force,
        first_page=options.first_page,
        max_pixels=max_pixels,
        compare=options.compare,
    )
    plan = make_plan(find_photos(options.photos, options.out), wishes)
    if not (plan.jobs or plan.finished or plan.failures):
        raise ConfigError(f"PHOTO: there is no photo in {', '.join(map(printable, options.photos))}")
    if options.out is not None and plan.jobs:
        try:
            options.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--out: {printable(options.out)} cannot be created ({error.strerror})") from None
    return _work(options, plan, wishes, _enlarger(options, target, networks))


def _work(options: argparse.Namespace, plan: Plan, wishes: Wishes, enlarge: Enlarge) -> int:
    """Do what is planned and return the exit code."""
    display, tally = _display(options), Tally()

    def complete(job: Job, file: Path) -> None:
        if wishes.out is not None:
            remember(job.source, job.output, wishes.out, wishes.settings, file)

    def report(event: Event) -> None:
        tally.count(event)
        display.event(event)

    def compare(job: Job, photo: Photo, result: Any) -> None:
        if job.compare is not None:
            write_comparison(job.compare, photo.pixels, result, options.model)

    begun = time.perf_counter()
    display.begin(plan)
    interrupted = True
    try:
        run_jobs(
            plan.jobs,
            enlarge,
            wishes.encoding,
            report,
            complete=complete,
            compare=compare,
            first_page=wishes.first_page,
            max_pixels=wishes.max_pixels,
        )
        interrupted = False
    except KeyboardInterrupt:
        rest = "the same command goes on with the rest" if wishes.out else "give the rest again, or all with --force"
        print(f"interrupted: {tally.done} of {len(plan.jobs)} photos are done; {rest}", file=sys.stderr)
        return 130
    finally:
        display.end(tally, plan, time.perf_counter() - begun, interrupted=interrupted)
    return 1 if tally.failures or plan.failures else 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted, nothing was written")
