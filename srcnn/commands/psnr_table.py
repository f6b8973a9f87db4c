"""The table of the doctor that explains a PSNR of another program: the usual deviations from the protocol, measured."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from srcnn.commands.flag_values import path, text, whole
from srcnn.commands.models import MODEL_HELP, load_model
from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.data.known_sets import data_root
from srcnn.errors import ConfigError, DataError
from srcnn.evaluation.deviations import Explanation, Measured, expected_seconds, explain
from srcnn.imaging.image_files import check_together, list_images, read_image

__all__ = ["FLAGS", "add_flags", "explained", "psnr_table"]

#: Names of the flags that belong to the table and mean nothing without ``--psnr``.
FLAGS = ("set", "scale", "images", "model", "data_root")
_MOST_PAIRS = 12  # pairs that the table shows
#: Pixels of a set above which the expected time is printed first; fewer take seconds, unless the network is large.
_MANY = 4_000_000


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the table."""
    group = parser.add_argument_group("explain a PSNR that another program gives, instead of the checks")
    group.add_argument(
        "--psnr", metavar="DB", help="the figure, with the digits that were given: 36.9 means 36.85 to 36.95"
    )
    group.add_argument("--set", type=text, metavar="NAME|FOLDER", help="the set that it is for, such as Set5")
    group.add_argument("--scale", type=whole(2, 4), metavar="{2,3,4}", help="upscaling factor")
    group.add_argument("--images", type=path, metavar="FOLDER", help="upscaled images, named as those of the set")
    group.add_argument(
        "--model", type=text, metavar="MODEL", help=f"network that upscales: {MODEL_HELP} (default: bicubic)"
    )
    group.add_argument(
        "--data-root", type=text, metavar="DIR", help="folder of the named sets (default: $SRCNN_DATA, else ./data)"
    )


def _figure(text: str) -> tuple[float, float]:
    """Return the figure in dB and half a unit of its last digit."""
    try:
        figure = Decimal(text.strip() if text.isascii() else "")  # Decimal reads the digits of every script
    except InvalidOperation:
        raise ConfigError(f"--psnr: must be a number such as 36.9, but got {text!r}") from None
    exponent = figure.as_tuple().exponent
    if not isinstance(exponent, int) or not 0 < figure < 200:
        raise ConfigError(f"--psnr: must lie between 0 and 200 dB, but got {text!r}")
    return float(figure), float(Decimal((0, (5,), exponent - 1)))


def _upscaled(folder: Path, images: ImageSet) -> dict[str, NDArray[np.uint8]]:
    """Read the upscaled images: a file belongs to the image whose name is its stem, or begins it (``baby_x2.png``)."""
    files = list_images(folder)
    chosen: dict[str, Path] = {}
    for name, _ in images.images:
        stem = Path(name).stem if "." in name else name
        own = [file for file in files if file.stem == stem]
        own = own or [f for f in files if f.stem.startswith(stem) and not f.stem[len(stem) :][:1].isalnum()]
        if len(own) != 1:
            there = f"but {len(own)} fit: {', '.join(file.name for file in own)}" if own else "but none fits"
            raise DataError(f"--images: {folder} must have one file for {name}, such as {stem}.png, {there}")
        chosen[name] = own[0]
    check_together(list(chosen.values()), f"--images: {folder}", sum(image.nbytes for _, image in images.images))
    return {name: read_image(file) for name, file in chosen.items()}


def psnr_table(options: argparse.Namespace, console: Console) -> tuple[int, dict[str, Any]]:
    """Measure, print the table and the conclusion.

    Returns:
        The exit code, 0 if something explains the figure and 1 if not; and the results for a JSON file.

    Raises:
        ConfigError: a flag is missing or wrong.
        DataError: images are missing or do not fit.
    """
    for name in ("set", "scale"):
        if getattr(options, name) is None:
            raise ConfigError(f"--{name}: must be given with --psnr")
    if options.gpu:
        raise ConfigError("--gpu: must not be given with --psnr, which runs no checks")
    if options.images is not None and options.model is not None:
        raise ConfigError("--model: must not be given with --images, which are upscaled already")
    figure, tolerance = _figure(options.psnr)
    images = load(options.set, data_root(options.data_root))
    model = options.model or "bicubic"
    network = None if options.images is not None else load_model(model, options.scale, data_root=options.data_root)
    upscaled = None if options.images is None else _upscaled(options.images, images)
    if sum(image.shape[0] * image.shape[1] for _, image in images.images) > _MANY:
        times = expected_seconds(images.images, options.scale, network=network, upscaled=upscaled)
        console.print(_expected(*times), markup=False, highlight=False, soft_wrap=not console.is_terminal)
    with console.status("measuring the set by every procedure"):
        found = explain(figure, images.images, options.scale, tolerance=tolerance, network=network, upscaled=upscaled)
    source = model if options.images is None else str(options.images)
    _print(console, found, f"{source} on {images.name}, x{options.scale}, against {options.psnr} dB")
    conclusion = explained(found, options.psnr)
    console.print(conclusion, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    result: dict[str, Any] = {"psnr": figure, "set": images.name, "scale": options.scale, "source": source}
    result |= {"tolerance": found.tolerance, "conclusion": conclusion}
    result |= {"rows": [asdict(one) for one in (*found.rows, *found.pairs)]}
    return (0 if found.found else 1), result


def _expected(singles: float, pairs: float) -> str:
    def words(seconds: float) -> str:
        return f"{max(1.0, seconds):.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"

    return (
        f"expected: about {words(singles)}, and {words(pairs)} more if only two deviations together explain the figure"
    )


def _print(console: Console, found: Explanation, title: str) -> None:
    table = Table(title=escape(title), title_justify="left")
    table.add_column("measured by", overflow="fold")
    table.add_column("PSNR dB", justify="right")
    table.add_column("difference", justify="right")
    near = set(found.found)

    def add(one: Measured) -> None:
        style = "bold green" if one in near else None
        table.add_row(escape(one.name), f"{one.psnr:.3f}", f"{one.difference:+.3f}", style=style)

    for place, one in enumerate(found.rows):
        add(one)
        if place == 0:
            table.add_section()
    table.add_section()
    for one in found.pairs[:_MOST_PAIRS]:
        add(one)
    console.print(table)
    if len(found.pairs) > _MOST_PAIRS:
        console.print(f"of {len(found.pairs)} pairs the nearest {_MOST_PAIRS} are shown", highlight=False)


def explained(found: Explanation, given: str) -> str:
    """Return the conclusion in one sentence.

    Args:
        found: what was measured.
        given: the figure to explain, as it was given.
    """
    near = found.found
    within = f"within {found.tolerance:.3g} dB"
    if not near:
        one = found.nearest
        return f"none explains {given} dB {within}; the nearest is {one.name} with {one.psnr:.3f} dB"
    if not near[0].names:
        return f"{given} dB is the figure of the protocol itself, {near[0].psnr:.3f} dB"
    others = [one.name for one in near[1:4]]
    more = f", and {len(near) - 4} more" if len(near) > 4 else ""
    also = f"; {within} are also: {', '.join(others)}{more}" if others else ""
    return f"explained by: {near[0].name} ({near[0].psnr:.3f} dB){also}"
