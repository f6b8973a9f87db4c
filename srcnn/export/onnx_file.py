"""Networks as ONNX files, for ONNX Runtime and other programs.

The graph is written with ``onnx.helper``, operator by operator: a chain of convolutions needs no exporter, and the file does not
depend on torch's version. It uses operators of opset 17 only: Conv, Relu, PRelu, Pad, Slice, Concat, DepthToSpace and Add. Input
``small`` and output ``large`` are those of `srcnn.export.plain_network.PlainNetwork`; batch, height and width are free. Scale,
configuration and licence are in the metadata of the file, under the names in `METADATA`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from srcnn.config.architecture import ModelConfig
from srcnn.errors import CheckpointError, ConfigError
from srcnn.export.parity import check, largest_difference
from srcnn.export.plain_network import BORDER, bicubic_kernel
from srcnn.model.network import SRCNN
from srcnn.system.atomic_file import atomic_write

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["LICENCE", "METADATA", "OPSET", "onnx_model", "save_onnx"]

OPSET = 17  #: version of ONNX's operators
_IR_VERSION = 8  # the version of the file format that came with opset 17
LICENCE = "Apache-2.0"
METADATA = ("scale", "config", "input", "output", "licence")  #: names of the metadata
_EVERYTHING = np.iinfo(np.int64).max


class _Graph:
    """Operators and constants of a graph that grows at its end."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Append an operator; return the name of its output."""
        from onnx import helper

        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: Any) -> str:
        """Add a constant; return its name."""
        self.constants[name] = np.asarray(values)
        return name

    def pad(self, x: str, margin: int) -> str:
        """Repeat the edge pixels."""
        pads = self.constant(f"margin_{margin}", np.array([0, 0, margin, margin] * 2, dtype=np.int64))
        return self.add("Pad", [x, pads], mode="edge")

    def piece(self, x: str, axis: int, start: int) -> str:
        """Return one row (axis 2) or column (axis 3)."""
        bounds = [np.array([n], dtype=np.int64) for n in (start, start + 1, axis)]
        kinds = (f"at_{start}", f"at_{start + 1}", f"axis_{axis}")
        return self.add("Slice", [x, *map(self.constant, kinds, bounds)])

    def mirrored(self, x: str) -> str:
        """Continue the image by `BORDER` pixels on every side, with mirror symmetry."""
        assert BORDER == 2
        x = self.pad(x, 1)
        for axis in (2, 3):
            x = self.add("Concat", [self.piece(x, axis, 2), x, self.piece(x, axis, -3)], axis=axis)
        return x


def onnx_model(network: SRCNN, metadata: Mapping[str, str] | None = None) -> ModelProto:
    """Return the ONNX model of a network.

    Args:
        network: the network.
        metadata: entries for the metadata of the file, besides those of `METADATA`.

    Raises:
        ConfigError: the package onnx is not installed.
    """
    _require("onnx")
    from onnx import TensorProto, checker, helper, numpy_helper

    config = network.config
    graph, shuffled = _Graph(), config.upsampling == "pixel_shuffle"
    base = ""
    if not shuffled or config.residual:
        kernel = np.tile(bicubic_kernel(config.scale), (config.channels, 1, 1, 1))
        planes = graph.add(
            "Conv", [graph.mirrored("small"), graph.constant("bicubic.weight", kernel)], group=config.channels
        )
        base = _interleaved(graph, planes, config)
    out = "small" if shuffled else base
    for i, layer in enumerate(network.convolutions):
        parts = {name: tensor.detach().cpu().numpy() for name, tensor in layer.state_dict().items()}
        constants = [graph.constant(f"layers.{i}.{name}", parts[name]) for name in ("weight", "bias")]
        margin = config.kernels[i] // 2
        pads = [0] * 4
        if margin and config.padding == "replicate":
            out = graph.pad(out, margin)
        elif margin:
            pads = [margin] * 4
        out = graph.add("Conv", [out, *constants], pads=pads)
        if i < config.depth - 1:
            if network.slopes:
                slopes = network.slopes[i].detach().cpu().numpy().reshape(-1, 1, 1)
                out = graph.add("PRelu", [out, graph.constant(f"slopes.{i}", slopes)])
            else:
                out = graph.add("Relu", [out])
    if shuffled:
        out = _interleaved(graph, out, config)
    if config.residual:
        out = graph.add("Add", [out, base])
    graph.nodes[-1].output[0] = "large"
    scale = config.scale
    small, large = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", config.channels, *sides])
        for name, sides in (("small", ["height", "width"]), ("large", [f"{scale}*height", f"{scale}*width"]))
    )
    constants = [numpy_helper.from_array(values, name) for name, values in graph.constants.items()]
    model = helper.make_model(
        helper.make_graph(graph.nodes, f"srcnn_x{scale}", [small], [large], constants),
        producer_name="srcnn",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        doc_string=f"SRCNN {config.name} at x{scale}: planes of {config.color} in [0, 1], the small image in, the large one out",
    )
    planes = {"y": "Y of YCbCr (BT.601)", "ycbcr": "Y, Cb, Cr (BT.601)", "rgb": "R, G, B"}[config.color]
    about = {
        "scale": str(scale),
        "config": ModelConfig(**{name: getattr(config, name) for name in ModelConfig.model_fields}).model_dump_json(),
        "input": f"small: float32 (batch, {config.channels}, height, width), {planes}, in [0, 1]",
        "output": f"large: float32 (batch, {config.channels}, {scale} height, {scale} width), not clipped",
        "licence": LICENCE,
        **(metadata or {}),
    }
    helper.set_model_props(model, about)
    checker.check_model(model, full_check=True)
    return model


def _interleaved(graph: _Graph, planes: str, config: ModelConfig) -> str:
    return graph.add("DepthToSpace", [planes], blocksize=config.scale, mode="CRD")  # CRD is the order of PixelShuffle


def _require(package: str) -> None:
    try:
        __import__(package)
    except ImportError:
        raise ConfigError(
            f"onnx: needs the package {package}, which is not installed; pip install 'srcnn[export]'"
        ) from None


def save_onnx(network: SRCNN, path: Path, metadata: Mapping[str, str] | None = None) -> float:
    """Write an ONNX file, unless ONNX Runtime computes something else with it than the protocol does.

    Args:
        network: the network.
        path: the file, which is replaced.
        metadata: more entries for the metadata of the file.

    Returns:
        Largest difference to the protocol, for values in [0, 1] (`srcnn.export.parity`).

    Raises:
        ConfigError: onnx or onnxruntime is not installed.
        CheckpointError: the file cannot be written, or the difference is too large.
    """
    _require("onnx")
    _require("onnxruntime")
    import onnxruntime

    content = onnx_model(network, metadata).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(small: NDArray[np.float32]) -> NDArray[np.float32]:
        (large,) = session.run(None, {"small": small})
        return np.asarray(large)

    difference = check(path, largest_difference(network, run))
    try:
        with atomic_write(path) as file:
            file.write_bytes(content)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error})") from None
    return difference
