"""Training states on disk: a run between two epochs, from which `srcnn.training.fit.fit` can resume."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srcnn.config.training import TrainConfig
from srcnn.errors import CheckpointError, ConfigError
from srcnn.model.network import weight_shapes
from srcnn.model.weights_file import wrong_claim
from srcnn.system.tensor_file import LARGEST, Claim, Claims, header_object, load_tensors, save_tensors

__all__ = ["TrainState", "load_state", "save_state"]

_NUMBERS = ("epoch", "step", "seconds", "best_epoch", "best_psnr")
_LARGEST = 8 * LARGEST  # a state has the weights five times: as they are, their best and average, and two moments
_ADAM = {"step", "exp_avg", "exp_avg_sq"}
_SLOTS = {
    "adam": (_ADAM,),
    "sgd": ({"momentum_buffer"},),
    "muon": (_ADAM, {"momentum"}),
}  # by optimizer, of a parameter


@dataclass(frozen=True)
class TrainState:
    """Everything that is needed to resume a run: tensors by name, and JSON-serializable numbers."""

    config: TrainConfig
    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Any]


def save_state(path: Path, state: TrainState) -> None:
    """Write a training state to a file.

    Raises:
        CheckpointError: the file cannot be written.
    """
    header = {"kind": "state", "config": state.config.model_dump_json(), "numbers": json.dumps(dict(state.numbers))}
    save_tensors(path, state.tensors, header)


def load_state(path: Path) -> TrainState:
    """Read a training state written by `save_state`.

    Raises:
        CheckpointError: the file is missing, damaged or of another format, or a number or tensor is not one of such a run.
    """
    found: list[tuple[TrainConfig, dict[str, Any]]] = []

    def check(header: Mapping[str, str], claims: Claims) -> None:
        try:
            config = TrainConfig(**header_object(path, header, "config"))
        except ConfigError as error:
            raise CheckpointError(f"{path}: {error}") from None
        numbers = header_object(path, header, "numbers")
        missing = [name for name in _NUMBERS if name not in numbers]
        missing += [f"{name}..." for name in ("network.", "generator") if not any(k.startswith(name) for k in claims)]
        if missing:
            raise CheckpointError(f"{path}: damaged, missing {', '.join(missing)}")
        wrong = _wrong_number(config, numbers) or _wrong_tensor(config, claims)
        if wrong:
            raise CheckpointError(f"{path}: damaged, {wrong}")
        found.append((config, numbers))

    _, tensors = load_tensors(path, "state", check, _LARGEST)
    try:
        torch.Generator().set_state(tensors["generator"])
    except RuntimeError as error:
        raise CheckpointError(f"{path}: damaged, generator: must be a state of torch's generator: {error}") from None
    return TrainState(found[0][0], tensors, found[0][1])


def _wrong_number(config: TrainConfig, numbers: Mapping[str, Any]) -> str:
    """Return what is wrong with the numbers of a state; empty: nothing."""
    for name in ("epoch", "step", "best_epoch"):
        value = numbers[name]
        if type(value) is not int or not 0 <= value < 2**63:
            return f"{name}: must be a whole number of at least 0, but is {str(value)[:40]}"
    if config.epochs is not None and numbers["epoch"] > config.epochs:
        return f"epoch: must be at most {config.epochs}, as in its configuration, but is {numbers['epoch']}"
    seconds, psnr = numbers["seconds"], numbers["best_psnr"]
    if not _is_finite(seconds) or seconds < 0:
        return f"seconds: must be a number of at least 0, but is {str(seconds)[:40]}"
    if psnr is not None and not _is_finite(psnr):
        return f"best_psnr: must be a finite number or null, but is {str(psnr)[:40]}"
    if numbers["best_epoch"] > numbers["epoch"]:
        return f"best_epoch: must be at most the epoch, {numbers['epoch']}, but is {numbers['best_epoch']}"
    return ""


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _wrong_tensor(config: TrainConfig, claims: Claims) -> str:
    """Return what is wrong with the tensors that a file states for a state of a configuration; empty: nothing."""
    parts: dict[str, dict[str, Claim]] = {}
    for name, claim in claims.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = claim
        expected = "U8" if part == "generator" else "F32"
        if claim.kind != expected:
            return f"{name[:80]} must be {expected}, but is {claim.kind[:20]}"
    wanted = {"generator", "network", *["average"] * bool(config.ema), *["expansion"] * bool(config.expansion)}
    for part in parts.keys() - wanted - {"best", "optimizer"}:
        return f"{part[:80]} does not belong to a state of this configuration"
    for part in sorted(wanted - parts.keys()):
        return f"{part} is missing"
    for part in ("network", "average", "best"):
        if part in parts and (wrong := wrong_claim(config.architecture, parts[part])):
            return f"{part}: {wrong}"
    shapes = _trained(config)
    if config.expansion:
        blocks = {name: shape for name, shape in shapes.items() if name.startswith(("wide.", "mix."))}
        if {name: claim.shape for name, claim in parts["expansion"].items()} != blocks:
            return "expansion: must have the blocks of this configuration, but has others"
    return _wrong_moment(config, parts.get("optimizer", {}), shapes)


def _trained(config: TrainConfig) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the trained parameters by name: with an expansion, its blocks in place of the weights."""
    shapes = weight_shapes(config.architecture)
    if config.expansion:
        for i in range(config.depth):
            outputs, inputs, height, width = shapes.pop(f"layers.{i}.weight")
            shapes[f"wide.{i}"] = config.expansion * outputs, height * width * inputs
            shapes[f"mix.{i}"] = outputs, config.expansion * outputs
    return shapes


def _wrong_moment(config: TrainConfig, moments: Claims, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return what is wrong with the moments of the optimizer; empty: nothing."""
    found: dict[int, set[str]] = {}
    possible, ordered = set(shapes.values()), [] if config.expansion else _ordered(config, shapes)
    if config.expansion:  # Muon averages the gradient of the collapsed weight
        matrices = (shape for shape in weight_shapes(config.architecture).values() if len(shape) == 4)
        possible |= {(outputs, inputs * height * width) for outputs, inputs, height, width in matrices}
    for name, claim in moments.items():
        index, _, slot = name.partition(".")
        if not (index.isascii() and index.isdecimal() and len(index) < 7 and int(index) < len(shapes)):
            return f"optimizer.{name[:80]} must belong to one of {len(shapes)} parameters"
        found.setdefault(int(index), set()).add(slot)
        if (claim.shape == ()) != (slot == "step") or (claim.shape and claim.shape not in possible):
            return f"optimizer.{name[:80]}: {claim} is not a moment of this configuration"
        if claim.shape and ordered and claim.shape != ordered[int(index)]:
            return f"optimizer.{name[:80]} must have shape {ordered[int(index)]}, but has {claim.shape}"
    for place, slots in found.items():
        if slots not in _SLOTS[config.optimizer]:
            return f"optimizer.{place}: has {', '.join(sorted(slots))[:80]}, which {config.optimizer} does not keep"
    return ""


def _ordered(config: TrainConfig, shapes: Mapping[str, tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the shapes of the parameters in the order of the groups of `make_optimizer`, for plain layers."""
    groups: dict[tuple[float, bool], list[tuple[int, ...]]] = {}
    for i, factor in enumerate(config.rates):
        for name in (f"layers.{i}.weight", f"layers.{i}.bias", f"slopes.{i}"):
            if name in shapes:
                matrix = config.optimizer == "muon" and len(shapes[name]) > 1 and i < config.depth - 1
                groups.setdefault((factor, matrix), []).append(shapes[name])
    return [shape for group in groups.values() for shape in group]
