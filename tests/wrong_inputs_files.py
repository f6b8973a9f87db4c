"""Wrong inputs: files that somebody else made, or that are none. Networks, states, spaces, tables, searches and images."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wrong_inputs import Case, picture, two_sets

__all__ = ["CASES"]

_Prepare = Callable[[Path], object]
_GIGABYTES = 5 << 30


# What a name can stand for


def _written(name: str, content: bytes | str) -> _Prepare:
    def prepare(folder: Path) -> None:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    return prepare


def _large(name: str) -> _Prepare:
    def prepare(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(_GIGABYTES)

    return prepare


def _pipe(name: str) -> _Prepare:
    def prepare(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(folder / name)

    return prepare


def _then(*steps: Callable[[Path], object]) -> _Prepare:
    """Do several steps, each with the scratch folder."""

    def prepare(folder: Path) -> None:
        for step in steps:
            step(folder)

    return prepare


def _cut(name: str, size: int) -> _Prepare:
    """Take the last bytes from a file."""

    def prepare(folder: Path) -> None:
        file = folder / name
        file.write_bytes(file.read_bytes()[:-size])

    return prepare


def _gone(name: str) -> _Prepare:
    return lambda folder: (folder / name).unlink()


def _link(name: str, target: str) -> _Prepare:
    return lambda folder: (folder / name).symlink_to(target)


def _and_photo(prepare: _Prepare | None) -> _Prepare:
    """Write a photograph to enlarge or measure too."""

    def both(folder: Path) -> None:
        picture(folder / "test" / "one.png")
        if prepare is not None:
            prepare(folder)

    return both


_ODD: dict[str, tuple[str, Callable[[str], _Prepare | None]]] = {
    "missing": ("no such file|No such file|does not exist|must be|is missing", lambda name: None),
    "a folder": ("folder|directory|does not exist", lambda name: lambda folder: (folder / name).mkdir(parents=True)),
    "a pipe": ("a pipe", lambda name: _pipe(name)),
    "of zeros without end": ("a device|does not exist", lambda name: _link(name, "/dev/zero")),
    "a loop of links": ("symbolic links|does not exist", lambda name: _link(name, name)),
    "of five gigabytes": ("must have at most .* but has 5 GiB", lambda name: _large(name)),
    "empty": ("damaged|must be|not a|does not begin", lambda name: _written(name, b"")),
    "noise": ("damaged|not a|is not|must be", lambda name: _written(name, bytes(range(128, 256)) * 40)),
}

_MODEL = "{dir}/net.safetensors"
_ENTRIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "search space": ("s.yaml", ("search", "--space", "{dir}/s.yaml")),
    "search enqueue": ("s.yaml", ("search", "--enqueue", "{dir}/s.yaml")),
    "ablation table": ("s.yaml", ("ablation", "--table", "{dir}/s.yaml")),
    "evaluate network": (
        "net.safetensors",
        ("evaluate", "--model", _MODEL, "--data", "{dir}/test", "--scale", "3"),
    ),
    "evaluate official": ("x3.mat", ("evaluate", "--model", "{dir}/x3.mat", "--data", "{dir}/test", "--scale", "3")),
    "upscale network": (
        "net.safetensors",
        ("upscale", "{dir}/test/one.png", "--out", "{dir}/out", "--model", _MODEL),
    ),
    "export network": ("net.safetensors", ("export", "--model", _MODEL, "--out", "{dir}/a.onnx")),
    "train start": ("net.safetensors", ("train", "--start", _MODEL, "--epochs", "1", "--out", "{dir}/out")),
    "champion network": ("net.safetensors", ("champion", _MODEL, "--out", "{dir}/out")),
}


def _odd_files() -> list[Case]:
    found = []
    for entry, (name, argv) in _ENTRIES.items():
        for kind, (says, prepare) in _ODD.items():
            found.append(Case(f"{entry} {kind}", argv, says, _and_photo(prepare(name))))
    return found


# YAML: spaces, configurations to run first, tables


def _laughs(levels: int) -> str:
    """Aliases that repeat nine times what the line before repeats nine times."""
    rows = ["  a0: &a0 [x]", *(f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels))]
    return "\n".join(rows)


_DEEP = "[" * 5000 + "]" * 5000
_SPACES: dict[str, tuple[str | bytes, str]] = {
    "nested deeply": (f"parameters: {_DEEP}", "must nest at most 32 deep"),
    "nested deeply in mappings": ("parameters: " + "{a: " * 3000 + "1" + "}" * 3000, "must nest at most 32 deep"),
    "nested deeply by indents": ("- " * 5000 + "x", "must nest at most 32 deep"),
    "with aliases that multiply": (
        f"parameters:\n{_laughs(12)}",
        "must have at most 20000 values, repeated ones included",
    ),
    "with an alias inside itself": ("parameters: &a {n1: *a}", "stands inside of what it repeats"),
    "with aliases under constraints": (
        f"parameters: {{n1: {{type: int, low: 8, high: 9}}}}\nconstraints:\n{_laughs(12)}",
        "must have at most 20000 values",
    ),
    "with aliases in a when": (
        f"x: &x {{n2: 1}}\nparameters:\n{_laughs(12)}\n  n1: {{type: int, low: 8, high: 9, when: *x}}",
        "must have at most 20000 values",
    ),
    "with a name twice": ("parameters: {n1: {type: int, low: 8, low: 9, high: 9}}", "low: appears twice"),
    "with a section twice": ("parameters: {}\nparameters: {}", "parameters: appears twice"),
    "with a merge that hides a name": (
        "parameters:\n  n1: &a {type: int, low: 8, high: 9}\n  n2:\n    <<: *a\n    low: 4",
        "<<: must not be used, because a merge hides repeated names",
    ),
    "with a tag of python": (
        "parameters: {n1: {type: int, low: !!python/object/apply:os.system [true], high: 9}}",
        "is not plain YAML",
    ),
    "with an unknown tag": ("parameters: {n1: {type: int, low: !secret x, high: 9}}", "is not plain YAML"),
    "with a list as a name": ("parameters: {[1, 2]: 3}", "a name must be a word or a number"),
    "with a number of 5000 digits": (
        "parameters: {n1: {type: int, low: 1, high: " + "9" * 5000 + "}}",
        "is not a valid value",
    ),
    "with a date that is none": ("parameters: {n1: {type: int, low: 2020-13-45, high: 9}}", "is not a valid value"),
    "with a list in place of names": ("- a\n- b", "must be a mapping of names to values"),
    "with two documents": ("parameters: {}\n---\nparameters: {}", "expected a single document|another document"),
    "with a tab": ("parameters:\n\tn1: 1", "is not YAML"),
    "with a null byte": ("parameters: \0", "is not YAML"),
    "in UTF-16": ("parameters: {}".encode("utf-16"), "is not a text file in UTF-8"),
    "of a megabyte": ("# " + "x" * (1 << 20), "must have at most 256 KiB"),
    "of many values": ("parameters: [" + "1," * 30_000 + "]", "must have at most 20000 values"),
    "that is a pickle": (pickle.dumps({"parameters": {}}), "is not a text file in UTF-8"),
    "with 300 parameters": (
        "parameters:\n" + "\n".join(f"  n{i}: {{type: int, low: 1, high: 2}}" for i in range(1, 301)),
        "parameters: must be at most 200, but are 300",
    ),
    "with a layer without end": (
        "parameters: {n1000000000: {type: int, low: 1, high: 2}}",
        "n1000000000: must be an entry of one of 1000 layers|kernels: must have at most",
    ),
    "with a depth without end": (
        "parameters: {depth: {type: int, low: 2, high: 1000000000}, n_rest: {type: int, low: 1, high: 2}}",
        "depth: must be at most|kernels: must have at most",
    ),
    "with a word as constraint": (
        "parameters: {n1: {type: int, low: 8, high: 9}}\nconstraints: {max_macs: many}",
        "max_macs: must be a number above 0",
    ),
    "with constraints as a list": (
        "parameters: {n1: {type: int, low: 8, high: 9}}\nconstraints: [1]",
        "constraints must be a mapping",
    ),
    "with not a number as bound": ("parameters: {learning_rate: {type: float, low: .nan, high: 1}}", "low: .*finite"),
    "with an infinite bound": ("parameters: {learning_rate: {type: float, low: 1, high: .inf}}", "high: .*finite"),
}
_ENQUEUED: dict[str, tuple[str | bytes, str]] = {
    "nested deeply": (_DEEP, "must nest at most 32 deep"),
    "with aliases that multiply": (
        f"- {{n1: 64}}\n- x:\n  - y\n  - {{\n{_laughs(12)[2:]}",
        "is not YAML|must have at most",
    ),
    "with aliases that multiply in a list": (
        "- &a [1,1,1,1,1,1,1,1,1]\n"
        + "\n".join(f"- &a{i} [*a{i - 1 if i else ''},*a{i - 1 if i else ''}]" for i in range(14)),
        "must have at most 20000 values",
    ),
    "with a name twice": ("- {n1: 64, n1: 32}", "n1: appears twice"),
    "with a merge": ("- &a {n1: 64}\n- {<<: *a, n2: 32}", "<<: must not be used"),
    "of one mapping": ("n1: 64", "must be a list of mappings"),
    "of words": ("- paper\n- article", "must be a mapping of parameters to values"),
    "with a huge word": ("- " + "x" * 100_000, r"must be a mapping of parameters to values, but got 'x+\.\.\."),
    "with a tag of python": ("- !!python/name:os.system", "is not plain YAML"),
    "in Latin-1": ("- {n1: 'ü'}".encode("latin-1"), "is not a text file in UTF-8"),
}
_TABLES = {
    "nested deeply": (f"title: {_DEEP}", "must nest at most 32 deep"),
    "with aliases that multiply": (f"rows:\n{_laughs(12)}", "must have at most 20000 values"),
    "with a name twice in a row": ("title: a\nrows: [{name: a, name: b}]", "name: appears twice"),
    "with a merge": ("base: &b {filters: 64-32}\nrows: [{name: a, config: {<<: *b}}]", "<<: must not be used"),
    "with a number as name": ("title: a\nrows: [{name: a, 7: b}]", "every name must be a word, but one is 7"),
    "of a set": ("!!set {title, rows}", "must be a mapping of names to values|is not YAML"),
    "without rows": ("title: a\nquestion: b\nsource: c\nrows: []\nbudgets: {}", "rows: "),
    "with a tag of python": ("title: !!python/name:os.system", "is not plain YAML"),
    "with a null byte": ("title: \0", "is not YAML"),
}


def _yaml() -> list[Case]:
    found = [
        Case(f"search space {kind}", ("search", "--space", "{dir}/s.yaml"), says, _written("s.yaml", text))
        for kind, (text, says) in _SPACES.items()
    ]
    found += [
        Case(f"search enqueue {kind}", ("search", "--enqueue", "{dir}/e.yaml"), says, _written("e.yaml", text))
        for kind, (text, says) in _ENQUEUED.items()
    ]
    found += [
        Case(f"ablation table {kind}", ("ablation", "--table", "{dir}/t.yaml"), says, _written("t.yaml", text))
        for kind, (text, says) in _TABLES.items()
    ]
    return found


# Networks


def _packed(header: Any, data: bytes = b"") -> bytes:
    """A safetensors file with any header: 8 bytes of length, the JSON, the values."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _small_network() -> Any:
    from srcnn.config.architecture import ModelConfig
    from srcnn.model.network import SRCNN

    return SRCNN(ModelConfig(kernels=(3, 1, 3), filters=(4, 3)))


def _network(
    config: Mapping[str, Any] | str | None = None,
    tensors: Callable[[dict[str, Any]], object] | None = None,
    extra: str = "{}",
    name: str = "net.safetensors",
) -> _Prepare:
    """Write a small network with another configuration in its header, or with other tensors."""

    def prepare(folder: Path) -> None:
        from safetensors.torch import save

        network = _small_network()
        weights = {name: value.clone() for name, value in network.state_dict().items()}
        if tensors is not None:
            tensors(weights)
        fields = {**network.config.model_dump(mode="json"), **(config if isinstance(config, Mapping) else {})}
        about = config if isinstance(config, str) else json.dumps(fields)
        (folder / name).write_bytes(
            save(weights, {"format": "srcnn/1", "kind": "network", "config": about, "extra": extra})
        )

    return prepare


def _claims(config: Mapping[str, Any], **shapes: tuple[int, ...]) -> _Prepare:
    """Write a file that states a network and shapes, and holds no values."""
    tensors = {
        name.replace("__", "."): {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 0]}
        for name, shape in shapes.items()
    }
    about = {"format": "srcnn/1", "kind": "network", "config": json.dumps(config), "extra": "{}"}
    return _written("net.safetensors", _packed({"__metadata__": about, **tensors}))


def _set(name: str, value: float) -> Callable[[dict[str, Any]], object]:
    def change(weights: dict[str, Any]) -> None:
        weights[name].view(-1)[0] = value

    return change


_META = {"format": "srcnn/1", "kind": "network"}
_NETWORKS: dict[str, tuple[_Prepare, str]] = {
    "with a header of exabytes": (
        _written("net.safetensors", struct.pack("<Q", 1 << 60) + b"{}"),
        "its header must have at most 16 MiB",
    ),
    "with a header that is not all there": (
        _written("net.safetensors", struct.pack("<Q", 1000) + b"{}"),
        "its header is incomplete",
    ),
    "with a header nested deeply": (
        _written("net.safetensors", _packed(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)),
        "must nest at most 4 deep",
    ),
    "with a header of lists": (_written("net.safetensors", _packed([1, 2])), "its header must be an object"),
    "with a header of text": (_written("net.safetensors", _packed(b"\xff\xfe{}")), "damaged or not a safetensors file"),
    "with a header of numbers": (
        _written("net.safetensors", _packed({"__metadata__": {"format": 1}})),
        "its header must map names to texts",
    ),
    "with a tensor twice": (
        _written("net.safetensors", _packed(b'{"a": {"dtype": "F32"}, "a": {"dtype": "F32"}}')),
        "'a' appears twice",
    ),
    "with a tensor without a shape": (
        _written("net.safetensors", _packed({"__metadata__": _META, "a": {"dtype": "F32"}})),
        "a: must have a type and a shape",
    ),
    "with 20000 tensors": (
        _written("net.safetensors", _packed({f"t{i}": {"dtype": "F32", "shape": []} for i in range(20_000)})),
        "must have at most 10000 tensors",
    ),
    "with values beyond the end": (
        _written(
            "net.safetensors",
            _packed({"__metadata__": _META, "a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}),
        ),
        "damaged or not a safetensors file",
    ),
    "of another program": (
        _written("net.safetensors", _packed({"__metadata__": {"format": "pt"}})),
        "must have format srcnn/1 and kind network, but has pt and none",
    ),
    "that is a pickle": (_written("net.safetensors", pickle.dumps({"a": 1})), "damaged or not a safetensors file"),
    "without a configuration": (
        _written("net.safetensors", _packed({"__metadata__": _META})),
        "its header has no config",
    ),
    "whose configuration nests deeply": (_network('{"kernels":' + "[" * 100_000), "its header has no config"),
    "whose configuration is a list": (_network("[1]"), "its header has no config"),
    "with kernels as words": (_network({"kernels": "nine"}), "weights and configuration do not match: kernels"),
    "with kernels that nest": (_network({"kernels": [[3], 1, 3]}), "weights and configuration do not match: kernels"),
    "with even kernels": (_network({"kernels": [2, 2, 2]}), "kernels: every size must be odd"),
    "with a scale of 7": (_network({"scale": 7}), "scale: "),
    "that states kernels of 20001": (
        _claims({"kernels": [20001, 1, 20001], "filters": [64, 32]}),
        "weights and configuration do not match: (kernels: |layers.0.weight is missing)",
    ),
    "that states a thousand layers": (
        _claims({"kernels": [3] * 1001, "filters": [64] * 1000}),
        "weights and configuration do not match: (kernels: |layers.0.weight is missing)",
    ),
    "that states a billion filters": (
        _claims({"kernels": [9, 1, 5], "filters": [10**9, 10**9]}),
        "weights and configuration do not match: (filters: |layers.0.weight is missing)",
    ),
    "that states filters of 40 digits": (
        _claims({"kernels": [9, 1, 5], "filters": [10**40, 1]}),
        "weights and configuration do not match: (filters: |layers.0.weight is missing)",
    ),
    "that states more filters than it holds": (
        _network({"filters": [4000, 3]}),
        r"layers\.0\.weight must be F32 of shape 4000x1x3x3, but is F32 of shape 4x1x3x3",
    ),
    "without a bias": (
        _network(tensors=lambda weights: weights.pop("layers.1.bias")),
        r"layers\.1\.bias is missing",
    ),
    "with a tensor too many": (
        _network(tensors=lambda weights: weights.update(other=weights["layers.1.bias"].clone())),
        "other is not a tensor of 3-1-3",
    ),
    "with whole numbers as weights": (
        _network(tensors=lambda weights: weights.update({"layers.1.bias": weights["layers.1.bias"].int()})),
        r"layers\.1\.bias must be F32 of shape 3, but is I32 of shape 3",
    ),
    "with a weight that is not a number": (
        _network(tensors=_set("layers.1.weight", float("nan"))),
        r"layers\.1\.weight: every weight must be a finite number, but 1 of 12 are not",
    ),
    "with an infinite bias": (
        _network(tensors=_set("layers.2.bias", float("-inf"))),
        r"layers\.2\.bias: every weight must be a finite number, but 1 of 1 are not",
    ),
    "without its last bytes": (
        _then(_network(), _cut("net.safetensors", 5)),
        "damaged or not a safetensors file",
    ),
}


def _networks() -> list[Case]:
    commands = [argv for entry, (name, argv) in _ENTRIES.items() if name == "net.safetensors"]
    found = []
    for place, (kind, (prepare, says)) in enumerate(_NETWORKS.items()):  # each command gets some of them
        argv = commands[place % len(commands)]
        found.append(Case(f"{argv[0]} a network {kind}", argv, says, _and_photo(prepare)))
    start = _ENTRIES["train start"][1]
    for kind, extra in (("a list", '{"origin": [1]}'), ("a number", '{"origin": 1}'), ("wrong tests", '{"tests": 1}')):
        found.append(Case(f"train start whose origin is {kind}", start, "extra: ", _and_photo(_network(extra=extra))))
    return found


# The authors' weights


def _mat(change: Callable[[dict[str, Any]], object] | None = None, *, compress: bool = False) -> _Prepare:
    def prepare(folder: Path) -> None:
        import numpy as np
        from scipy.io import savemat

        shapes = {"weights_conv1": (9, 2), "weights_conv2": (2, 1, 3), "weights_conv3": (3, 9)}
        shapes |= {"biases_conv1": (2, 1), "biases_conv2": (3, 1), "biases_conv3": (1, 1)}
        content: dict[str, Any] = {name: np.ones(shape) for name, shape in shapes.items()}
        if change is not None:
            change(content)
        savemat(folder / "x3.mat", content, do_compression=compress)

    return prepare


def _mat_of(*elements: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements)


def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*parts, packer.flush()])


def _put(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    def change(content: dict[str, Any]) -> None:
        content[name] = value

    return change


def _claimed_array() -> bytes:
    """A variable that states a billion values and holds none: flags, dimensions, name, an empty list of doubles."""
    parts = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIii", 5, 8, 1 << 15, 1 << 15)
    parts += struct.pack("<II", 1, 13) + b"weights_conv1\0\0\0" + struct.pack("<II", 9, 0)
    return struct.pack("<II", 14, len(parts)) + parts


_MATS: dict[str, tuple[_Prepare, str]] = {
    "that inflates to gigabytes": (
        lambda folder: _written("x3.mat", _mat_of(struct.pack("<II", 15, len(bomb := _bomb(2 << 30))), bomb))(folder),
        "must inflate to at most 32 MiB, but inflates to more",
    ),
    "that states a billion values": (
        _written("x3.mat", _mat_of(_claimed_array())),
        "weights_conv1 must have at most 4194304 values|not a MATLAB 5 file",
    ),
    "of version 7.3": (
        _written("x3.mat", b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400)),
        "not a MATLAB 5 file",
    ),
    "of another content": (_mat(lambda content: content.clear()), "not a file of SRCNN weights, missing weights_conv1"),
    "with words as weights": (_mat(_put("weights_conv1", "words")), "missing weights_conv1"),
    "with a cell as weights": (
        _mat(lambda content: content.update(weights_conv1=content["weights_conv1"].astype(object))),
        "missing weights_conv1|not a MATLAB 5 file",
    ),
    "with complex weights": (
        _mat(_put("biases_conv1", [[1j], [2j]])),
        "biases_conv1: every value must be a finite number",
    ),
    "with a weight that is not a number": (
        _mat(_put("biases_conv3", [[float("nan")]])),
        "biases_conv3: every value must be a finite number",
    ),
    "with kernels that are no squares": (_mat(_put("weights_conv3", [[1.0] * 8] * 3)), "must be a square"),
    "with layers that do not fit": (_mat(_put("weights_conv3", [[1.0] * 9] * 5)), "shapes of the layers do not match"),
    "whose compressed part is cut": (
        _then(_mat(compress=True), _cut("x3.mat", 40)),
        "not a MATLAB 5 file|missing",
    ),
}


def _official() -> list[Case]:
    argv = _ENTRIES["evaluate official"][1]
    return [Case(f"evaluate official {kind}", argv, says, _and_photo(made)) for kind, (made, says) in _MATS.items()]


# Trainings to resume


def _state(
    numbers: Mapping[str, Any] | None = None,
    tensors: Callable[[dict[str, Any]], object] | None = None,
    config: Mapping[str, Any] | None = None,
    text: str | None = None,
) -> _Prepare:
    """Write the folder of a training with a state after one epoch, changed."""

    def prepare(folder: Path) -> None:
        import torch
        from safetensors.torch import save

        from srcnn.config.training import TrainConfig
        from srcnn.training.optimizers import make_optimizer

        two_sets(folder)
        made = TrainConfig(kernels=(3, 1, 3), filters=(4, 3), patch_size=12, batch_size=2, epochs=3, optimizer="adam")
        network = _small_network()
        values = {
            f"{part}.{name}": v.clone() for part in ("network", "best") for name, v in network.state_dict().items()
        }
        optimizer = make_optimizer(made, network)
        for place, parameter in enumerate(p for group in optimizer.param_groups for p in group["params"]):
            values[f"optimizer.{place}.step"] = torch.tensor(1.0)
            values |= {f"optimizer.{place}.{slot}": torch.zeros_like(parameter) for slot in ("exp_avg", "exp_avg_sq")}
        values["generator"] = torch.Generator().manual_seed(1).get_state()
        if tensors is not None:
            tensors(values)
        figures = {"epoch": 1, "step": 100, "seconds": 1.0, "best_epoch": 1, "best_psnr": 30.0, **(numbers or {})}
        about = {
            "format": "srcnn/1",
            "kind": "state",
            "config": json.dumps({**made.model_dump(mode="json"), **(config or {})}),
            "numbers": json.dumps(figures) if text is None else text,
        }
        run = {"train": str(folder / "train"), "test": str(folder / "test"), "validation": 1}
        (folder / "run").mkdir()
        (folder / "run" / "run.json").write_text(json.dumps(run), encoding="utf-8")
        (folder / "run" / "state.safetensors").write_bytes(save({k: v.contiguous() for k, v in values.items()}, about))

    return prepare


def _replaced(name: str, make: Callable[[Any], Any]) -> Callable[[dict[str, Any]], object]:
    def change(values: dict[str, Any]) -> None:
        values[name] = make(values[name])

    return change


_STATES: dict[str, tuple[_Prepare, str]] = {
    "with an epoch that is not a number": (_state({"epoch": float("nan")}), "epoch: must be a whole number"),
    "with an epoch in words": (_state({"epoch": "one"}), "epoch: must be a whole number of at least 0, but is one"),
    "with half an epoch": (_state({"epoch": 1.5}), "epoch: must be a whole number"),
    "with an epoch that is true": (_state({"epoch": True}), "epoch: must be a whole number"),
    "with an epoch below 0": (_state({"epoch": -1}), "epoch: must be a whole number of at least 0, but is -1"),
    "with an epoch of 40 digits": (_state({"epoch": 10**40}), "epoch: must be a whole number"),
    "with the best epoch below 0": (_state({"best_epoch": -1}), "best_epoch: must be a whole number of at least 0"),
    "with a list as step": (_state({"step": [1]}), "step: must be a whole number"),
    "with more epochs than there are": (
        _state({"epoch": 9}),
        "epoch: must be at most 3, as in its configuration, but is 9",
    ),
    "with endless seconds": (_state({"seconds": float("inf")}), "seconds: must be a number of at least 0, but is inf"),
    "with seconds in words": (_state({"seconds": "long"}), "seconds: must be a number"),
    "with a best epoch after the last": (
        _state({"best_epoch": 2}),
        "best_epoch: must be at most the epoch, 1, but is 2",
    ),
    "with a best PSNR in words": (_state({"best_psnr": "good"}), "best_psnr: must be a finite number or null"),
    "with a best PSNR that is not a number": (
        _state({"best_psnr": float("nan")}),
        "best_psnr: must be a finite number",
    ),
    "without its numbers": (_state(text="{}"), "damaged, missing epoch, step"),
    "with numbers that nest deeply": (_state(text='{"epoch":' + "[" * 50_000), "its header has no numbers"),
    "with a generator of zeros": (
        _state(tensors=_replaced("generator", lambda value: value.zero_())),
        "generator: must be a state of torch's generator",
    ),
    "with a short generator": (
        _state(tensors=_replaced("generator", lambda value: value[:7])),
        "generator: must be a state of torch's generator",
    ),
    "with a generator of real numbers": (
        _state(tensors=_replaced("generator", lambda value: value.float())),
        "generator must be U8, but is F32",
    ),
    "without a generator": (_state(tensors=lambda values: values.pop("generator")), "missing generator"),
    "with weights of another shape": (
        _state(tensors=_replaced("network.layers.0.weight", lambda value: value[:2])),
        r"network: layers\.0\.weight must be F32 of shape 4x1x3x3, but is F32 of shape 2x1x3x3",
    ),
    "with whole numbers as weights": (
        _state(tensors=_replaced("network.layers.0.bias", lambda value: value.int())),
        r"network\.layers\.0\.bias must be F32, but is I32",
    ),
    "with the best weights of another network": (
        _state(tensors=lambda values: values.pop("best.layers.1.bias")),
        r"best: layers\.1\.bias is missing",
    ),
    "with a moment of another shape": (
        _state(tensors=_replaced("optimizer.0.exp_avg", lambda value: value.view(-1)[:5])),
        r"optimizer\.0\.exp_avg: F32 of shape 5 is not a moment of this configuration",
    ),
    "with the moment of another parameter": (
        _state(tensors=lambda values: values.update({"optimizer.0.exp_avg": values["optimizer.1.exp_avg"].clone()})),
        r"optimizer\.0\.exp_avg must have shape",
    ),
    "with a moment of no parameter": (
        _state(tensors=lambda values: values.update({"optimizer.99.step": values["optimizer.0.step"].clone()})),
        r"optimizer\.99\.step must belong to one of 6 parameters",
    ),
    "with a moment without a number": (
        _state(tensors=lambda values: values.update({"optimizer.x.step": values["optimizer.0.step"].clone()})),
        r"optimizer\.x\.step must belong to one of 6 parameters",
    ),
    "with half of the moments": (
        _state(tensors=lambda values: values.pop("optimizer.2.exp_avg_sq")),
        r"optimizer\.2: has exp_avg, step, which adam does not keep",
    ),
    "with moments of another optimizer": (_state(config={"optimizer": "sgd"}), "which sgd does not keep"),
    "with a part too many": (
        _state(tensors=lambda values: values.update(other=values["generator"].float())),
        "other does not belong to a state of this configuration",
    ),
    "without the average": (_state(config={"ema": 0.1}), "average is missing"),
    "without the blocks": (_state(config={"expansion": 2}), "expansion is missing"),
    "with huge kernels": (
        _state(config={"kernels": [20001, 1, 3], "patch_size": 30000}),
        "kernels|patch_size|layers.0.weight must be",
    ),
    "that is a network": (
        _then(_state(), _gone("run/state.safetensors"), _network(name="run/state.safetensors")),
        "must have format srcnn/1 and kind state, but has srcnn/1 and network",
    ),
    "in a pipe": (
        _then(_state(), _gone("run/state.safetensors"), _pipe("run/state.safetensors")),
        "must be a regular file, but is a pipe",
    ),
    "whose settings are a pipe": (
        _then(_state(), _gone("run/run.json"), _pipe("run/run.json")),
        "run.json: cannot be read .*is a pipe",
    ),
    "whose settings nest deeply": (
        _then(_state(), _written("run/run.json", "[" * 100_000)),
        "run.json: cannot be read .*must nest at most 32 deep",
    ),
}


def _states() -> list[Case]:
    argv = ("train", "--resume", "{dir}/run")
    return [Case(f"train resume a state {kind}", argv, says, made) for kind, (made, says) in _STATES.items()]


# Searches to resume


class _Payload:
    """A pickle that makes a file when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("it-ran", "w")


def _search(change: Callable[[Path], object] | None = None, manifest: Mapping[str, Any] | None = None) -> _Prepare:
    """Write the folder of a search ``x`` as a stranger could: all digests are right, and its pickles run code."""

    def prepare(folder: Path) -> None:
        import hashlib

        from srcnn.tuning.driver.snapshot import _FORMAT
        from srcnn.tuning.planning.settings import SearchSettings

        search = folder / "ray" / "x"
        snapshot = search / "snapshots" / "00000001"
        snapshot.mkdir(parents=True)
        settings = SearchSettings(name="x", storage=str(folder / "ray"), train="sample/train", test=("sample/test",))
        (search / "search.json").write_text(settings.model_dump_json(), encoding="utf-8")
        stamp, content = "2026-01-01_00-00-00", pickle.dumps(_Payload())
        names = (
            "tuner.pkl",
            f"searcher-state-{stamp}.pkl",
            f"search_gen_state-{stamp}.json",
            f"experiment_state-{stamp}.json",
        )
        for name in names:
            (snapshot / name).write_bytes(content)
        digests = {name: hashlib.sha256(content).hexdigest() for name in names}
        about = {"format": _FORMAT, "journal": 0, "files": digests, **(manifest or {})}
        (snapshot / "manifest.json").write_text(json.dumps(about), encoding="utf-8")
        if change is not None:
            change(search)

    return prepare


_UNTRUSTED = r"must have been written by you on this machine, because .*, but .*%s.*--trust-saved-state accepts it once"
_SEARCHES: dict[str, tuple[_Prepare, str]] = {
    "without a seal": (_search(), _UNTRUSTED % "it has no seal"),
    "with the seal of somebody else": (
        _search(manifest={"seal": "0" * 64}),
        _UNTRUSTED % "it was sealed with (a key that is not here|another key, or changed since)",
    ),
    "with a number as seal": (
        _search(manifest={"seal": 7}),
        _UNTRUSTED % "it was sealed with (a key that is not here|another key, or changed since)",
    ),
    "that others can write to": (
        _search(lambda search: search.chmod(0o777)),
        _UNTRUSTED % "others can write to .*x .mode 777",
    ),
    "whose pickle others can write": (
        _search(lambda search: (search / "snapshots/00000001/tuner.pkl").chmod(0o666)),
        _UNTRUSTED % "others can write to .*tuner.pkl .mode 666",
    ),
    "with a link as snapshot": (
        _search(
            _then(
                lambda search: (search / "snapshots/00000001").rename(search / "elsewhere"),
                _link("snapshots/00000001", "../elsewhere"),
            )
        ),
        _UNTRUSTED % "neither a file nor a folder",
    ),
    "of another version": (_search(manifest={"format": 1}), "was written by another version of this project"),
    "of a confirmation without a seal": (
        _search(
            _then(
                lambda search: (search / "confirm-8").mkdir(),
                lambda search: (search / "snapshots").rename(search / "confirm-8/snapshots"),
            )
        ),
        _UNTRUSTED % "it has no seal",
    ),
    "whose settings are a pipe": (
        _search(_then(_gone("search.json"), _pipe("search.json"))),
        "search.json: must be a regular file, but is a pipe|there is no search",
    ),
    "whose settings nest deeply": (
        _search(lambda search: (search / "search.json").write_text('{"name":' + "[" * 100_000, encoding="utf-8")),
        "JSON|nest|recursion",
    ),
    "whose settings are a list": (
        _search(lambda search: (search / "search.json").write_text("[1]", encoding="utf-8")),
        "valid dictionary|object",
    ),
}


def _searches() -> list[Case]:
    argv = ("search", "--resume", "x", "--storage", "{dir}/ray")
    found = [Case(f"search resume {kind}", argv, says, made) for kind, (made, says) in _SEARCHES.items()]
    found.append(
        Case(
            "search trust without resume",
            ("search", "--trust-saved-state"),
            "--trust-saved-state: must be combined with --resume",
        )
    )
    found.append(
        Case(
            "runs verify a search without a seal",
            ("runs", "verify", "x", "--storage", "{dir}/ray", "--tracking-uri", "sqlite:///{dir}/m.db"),
            _UNTRUSTED % "it has no seal",
            _search(),
        )
    )
    return found


# Images


def _png(width: int, height: int) -> bytes:
    """A PNG whose header states a size, with the data of one row."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


_IMAGES: dict[str, tuple[bytes, str]] = {
    "of exapixels": (_png(2**31 - 1, 2**31 - 1), "pixels|cannot be decoded|not an image"),
    "of 900 megapixels": (_png(30_000, 30_000), "pixels|cannot be decoded"),
    "without pixels": (_png(0, 0), "cannot be decoded|not an image"),
    "broken off": (_png(48, 40), "cannot be decoded"),
    "of text": (b"no image at all", "not an image"),
    "that is empty": (b"", "not an image"),
    "of a bare JPEG header": (b"\xff\xd8\xff\xe0\x00\x10JFIF\0", "cannot be decoded|not an image"),
}


def _images() -> list[Case]:
    argv = ("evaluate", "--model", "bicubic", "--data", "{dir}/photos", "--scale", "3")
    return [
        Case(f"evaluate an image {kind}", argv, says, _written("photos/a.png", content))
        for kind, (content, says) in _IMAGES.items()
    ]


CASES = [
    *_odd_files(),
    *_yaml(),
    *_networks(),
    *_official(),
    *_states(),
    *_searches(),
    *_images(),
]
