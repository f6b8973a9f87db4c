"""Write a network for other programs, as an ONNX file or a file of torch.export.

    python experiments/export.py --model champion --scale 3 --out x3.onnx
    python experiments/export.py --model network.safetensors --out x3.pt2

The exported network takes the small image and returns the large one; bicubic upscaling is inside. The planes are those of the
network, usually only Y of YCbCr (BT.601), in [0, 1]. Its output is compared with the evaluation protocol before the file appears.
Models: champion (comes with the package), registry (the champion of your searches in MLflow), the id of a trial's run in MLflow,
a file of this package (.safetensors) or of the SRCNN authors (.mat), official:9-5-5, or models:/NAME@ALIAS.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from srcnn.commands.command_line import Parser, run
from srcnn.commands.flag_values import path, text, whole
from srcnn.commands.models import MODEL_HELP, TRACKING_URI, load_model
from srcnn.errors import ConfigError
from srcnn.export.onnx_file import OPSET, save_onnx
from srcnn.system.folders import check_file

__all__ = ["main"]

_FORMATS = {".onnx": "onnx", ".pt2": "pt2"}


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--model", type=text, default="champion", metavar="NAME|FILE", help=f"{MODEL_HELP} (default: champion)"
    )
    parser.add_argument(
        "--scale", type=whole(2, 4), metavar="{2,3,4}", help="upscaling factor (default: that of the network)"
    )
    parser.add_argument("--out", type=path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--format", choices=tuple(_FORMATS.values()), help="format (default: by the ending of --out)")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument(
        "--tracking-uri", type=text, default=TRACKING_URI, metavar="URI", help=f"MLflow store (default: {TRACKING_URI})"
    )
    parser.add_argument(
        "--data-root", type=text, metavar="DIR", help="folder of the authors' files (default: $SRCNN_DATA, else ./data)"
    )
    return parser


def _format(out: Path, given: str | None) -> str:
    kind = given or _FORMATS.get(out.suffix)
    if kind is None:
        raise ConfigError(f"--out: must end with {' or '.join(_FORMATS)} unless --format is given, but got {out}")
    return kind


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    out: Path = options.out
    kind = _format(out, options.format)
    check_file(out, "--out")
    if out.exists() and not options.force:
        raise ConfigError(f"--out: {out} exists; --force replaces it")
    network = load_model(options.model, options.scale, tracking_uri=options.tracking_uri, data_root=options.data_root)
    if network is None:
        raise ConfigError(f"--model: must be a network, but got {options.model}")
    about = {"model": options.model}
    if kind == "onnx":
        difference, made = save_onnx(network, out, about), f"ONNX, opset {OPSET}, compared in ONNX Runtime"
    else:
        from srcnn.export.torch_file import save_exported  # torch.export takes a second to import

        difference, made = save_exported(network, out, about), "torch.export"
    config = network.config
    print(f"{out}: {config.name}, {config.upsampling}, x{config.scale}; {made}; {out.stat().st_size} bytes")
    print(f"in:  small, float32 (batch, {config.channels}, height, width), planes {config.color} in [0, 1]")
    print(f"out: large, float32 (batch, {config.channels}, {config.scale} height, {config.scale} width), not clipped")
    print(f"largest difference to the protocol: {difference:.1e}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted, nothing was written")
