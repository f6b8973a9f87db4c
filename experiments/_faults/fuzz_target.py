"""One target of ``experiments/fuzz.py``: ``python -m _faults.fuzz_target NAME SCRATCH FINDINGS [options of libFuzzer]``."""

from __future__ import annotations

import gzip
import importlib
import io
import json
import struct
import sys
import tarfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torch
from PIL import Image

__all__ = ["SEEDS", "Harness", "main", "reader_of"]

_EVERY = 200  # executions between two writes of the counts
_SUFFIXES = {
    "network": ".safetensors",
    "state": ".safetensors",
    "official": ".mat",
    "curves": ".csv.gz",
    "past": ".json",
    "space": ".yaml",
    "enqueue": ".yaml",
    "table": ".yaml",
    "image": ".png",
    "photo": ".png",
    "archive": ".zip",
    "journal": ".jsonl",
}
_MODULES = {
    "network": "srcnn.model.weights_file",
    "state": "srcnn.training.checkpoint",
    "official": "srcnn.model.official_weights",
    "space": "srcnn.tuning.space.space_file",
    "enqueue": "srcnn.tuning.space.first_trials",
    "table": "srcnn.tuning.paper.table",
    "curves": "srcnn.tuning.curves.curve_table",
    "past": "srcnn.tuning.trials.past",
    "image": "srcnn.imaging.image_files",
    "photo": "srcnn.upscaling.photo_reading",
    "archive": "srcnn.data.archive",
    "journal": "srcnn.tuning.tracking.journal",
}
_ROOT = Path(__file__).parents[2]
#: First bytes of an input that is not a whole file but the parts of one, see `_whole`.
_PARTS = b"\0parts\0"


def reader_of(target: str, scratch: Path) -> Callable[[Path], object]:
    """Return the function that reads a file of a kind."""
    module: Any = importlib.import_module(_MODULES[target])
    if target == "official":
        return lambda path: module.load_official(path, 3)
    if target == "enqueue":
        space = importlib.import_module("srcnn.tuning.space.space_file").load_space(
            _ROOT / "search_spaces/default.yaml"
        )
        return lambda path: module.from_file(path, space)
    if target == "past":
        return lambda path: module.past_from(path.read_text(encoding="utf-8", errors="replace"), str(path))
    if target == "photo":
        return lambda path: module.read_photo(path, max_pixels=4_000_000)
    if target == "archive":
        return lambda path: module.unpack(path, scratch / "unpacked", lambda member: member.name)
    if target == "journal":
        return lambda path: module.unsent(path.parent, path.stat().st_size)
    names = {"network": "load_network", "state": "load_state", "space": "load_space", "table": "load_table"}
    return getattr(module, {**names, "curves": "read_table", "image": "read_image"}[target])  # type: ignore[no-any-return]


def _safetensors() -> Iterable[bytes]:
    from srcnn.config.architecture import ModelConfig
    from srcnn.config.training import TrainConfig
    from srcnn.model.network import SRCNN
    from srcnn.model.weights_file import save_network
    from srcnn.training.checkpoint import TrainState, save_state

    config = TrainConfig(kernels=(3, 1, 3), filters=(2, 2), scale=2)
    network = SRCNN(ModelConfig(kernels=(3, 1, 3), filters=(2, 2), scale=2))
    place = Path(sys.argv[2]) / "seed.safetensors"
    save_network(place, network.state_dict(), config, {"val_psnr": 30.0, "epoch": 2})
    yield place.read_bytes()
    numbers = {"epoch": 1, "step": 2, "seconds": 1.0, "best_epoch": 1, "best_psnr": 30.0}
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    save_state(place, TrainState(config, {**tensors, "generator": torch.get_rng_state()[:8]}, numbers))
    yield place.read_bytes()
    place.unlink()


def _pictures() -> Iterable[bytes]:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    for form in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"):
        buffer = io.BytesIO()
        image.save(buffer, form, **({"exif": exif} if form in ("PNG", "JPEG", "WEBP") else {}))
        yield buffer.getvalue()


def _archives() -> Iterable[bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("Train/a.bmp", b"abc" * 40)
        pack.writestr("../b.bmp", b"abc")
    yield buffer.getvalue()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("images/test/a.png")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    yield buffer.getvalue()


def _matrices() -> Iterable[bytes]:
    buffer = io.BytesIO()
    rng = np.random.default_rng(0)
    names = {"weights_conv1": (81, 64), "weights_conv2": (64, 1, 32), "weights_conv3": (32, 25)}
    names |= {"biases_conv1": (64, 1), "biases_conv2": (32, 1), "biases_conv3": (1, 1)}
    scipy.io.savemat(buffer, {name: rng.normal(size=shape) for name, shape in names.items()})
    yield buffer.getvalue()


def _texts(pattern: str) -> Iterable[bytes]:
    for file in sorted(_ROOT.glob(pattern)):
        yield file.read_bytes()


def _curves() -> Iterable[bytes]:
    for file in sorted(_ROOT.glob("experiments/results/grid-x2.csv.gz")):
        yield gzip.compress(b"\n".join(gzip.decompress(file.read_bytes()).split(b"\n")[:12]) + b"\n")


def _past() -> Iterable[bytes]:
    yield b'[{"params": {"n1": 8, "scale": 3}, "scale": 3, "curve": [0.1, 0.2], "epochs": 10, "source": "s"}]'


def _journal() -> Iterable[bytes]:
    lines = [
        {"do": "run", "trial": "a", "name": "x", "params": {}, "tags": {}, "dataset": {}, "time": 1},
        {"do": "metrics", "trial": "a", "step": 1, "metrics": {"objective": 0.5}, "time": 2},
        {"do": "end", "trial": "a", "status": "FINISHED", "time": 3},
    ]
    yield "".join(json.dumps(line) + "\n" for line in lines).encode()


SEEDS: dict[str, Callable[[], Iterable[bytes]]] = {
    "network": _safetensors,
    "state": _safetensors,
    "official": _matrices,
    "curves": _curves,
    "past": _past,
    "space": lambda: _texts("search_spaces/*.yaml"),
    "enqueue": lambda: (b"- {n1: 64, n2: 32, kernels: 9-1-5, scale: 3}\n", b"- n1: 64\n"),
    "table": lambda: _texts("search_spaces/paper/*.yaml"),
    "image": _pictures,
    "photo": _pictures,
    "archive": _archives,
    "journal": _journal,
}


def _whole(target: str, data: bytes) -> bytes:
    """Return a file from an input. Parts of a file are put together with lengths and checksums that are right.

    Otherwise nearly every mutation would fail at the first check of the format.
    """
    if not data.startswith(_PARTS):
        return data
    body = data[len(_PARTS) :]
    if target in ("network", "state"):
        head, _, rest = body.partition(b"\0\0")
        return struct.pack("<Q", len(head)) + head + rest
    if target == "curves":
        return gzip.compress(body, mtime=0)
    if target == "archive":
        name, _, rest = body.partition(b"\0")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as pack:
            pack.writestr(zipfile.ZipInfo(name.decode("latin-1") or "x"), rest)
        return buffer.getvalue()
    return body


def _apart(target: str, seed: bytes) -> Iterable[bytes]:
    """Yield a seed, and its parts where `_whole` puts them together."""
    yield seed
    if target in ("network", "state"):
        (length,) = struct.unpack("<Q", seed[:8])
        yield _PARTS + seed[8 : 8 + length] + b"\0\0" + seed[8 + length :]
    elif target == "curves":
        yield _PARTS + gzip.decompress(seed)
    elif target == "archive":
        yield _PARTS + b"Train/a.bmp\0" + b"abc"


class Harness:
    """Reads inputs as files, and keeps what is not refused as it should be.

    Args:
        target: kind of file.
        scratch: folder for the files.
        findings: folder for inputs that are findings, and for the counts.
    """

    def __init__(self, target: str, scratch: Path, findings: Path) -> None:
        from srcnn.errors import SRCNNError

        self._target, self._findings, self._refusal = target, findings, SRCNNError
        self._file = scratch / ("tracking.jsonl" if target == "journal" else f"input{_SUFFIXES[target]}")
        self._read = reader_of(target, scratch)
        self.executions, self.found = 0, dict[str, str]()

    def __call__(self, data: bytes) -> None:
        """Read one input."""
        self._file.write_bytes(_whole(self._target, data))
        began = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of decoders, about damaged files
                self._read(self._file)
        except self._refusal as error:
            if len(str(error).splitlines()) != 1:
                self._keep(f"{type(error).__name__} of several lines", repr(str(error))[:300], data)
        except (OSError, MemoryError, UnicodeDecodeError) as error:
            if not isinstance(error, OSError) or error.filename is None:  # one with a name is one line, too
                self._keep(_where(error), str(error)[:300], data)
        except Exception as error:
            self._keep(_where(error), (str(error).splitlines() or [""])[0][:300], data)
        if (took := time.process_time() - began) > 2:
            self._keep("longer than two seconds", f"{took:.1f} s of processor time", data)
        self.executions += 1
        if self.executions % _EVERY == 0:
            self.write()

    def _keep(self, kind: str, text: str, data: bytes) -> None:
        if kind not in self.found:
            self.found[kind] = text
            name = "".join(letter if letter.isalnum() else "-" for letter in kind)[:80]
            (self._findings / f"{name}{_SUFFIXES[self._target]}").write_bytes(_whole(self._target, data))
            self.write()

    def write(self) -> None:
        """Write the counts."""
        counts = {"executions": self.executions, "findings": self.found}
        (self._findings / "counts.json").write_text(json.dumps(counts), encoding="utf-8")


def _where(error: BaseException) -> str:
    """Return the type of an error and the last function of this project on its way."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/srcnn/" in frame.filename]
    at = f"{ours[-1].filename.rpartition('/srcnn/')[2]}:{ours[-1].name}" if ours else "elsewhere"
    return f"{type(error).__name__} at {at}"


def main(argv: list[str]) -> None:
    """Fuzz one target until libFuzzer ends this process."""
    atheris: Any = importlib.import_module("atheris")  # of the extra fuzz

    target, scratch, findings = argv[1], Path(argv[2]), Path(argv[3])
    torch.set_num_threads(1)
    with atheris.instrument_imports(
        include=["srcnn", "yaml", "PIL", "zipfile", "tarfile"], enable_loader_override=False
    ):
        importlib.import_module(_MODULES[target])
    harness = Harness(target, scratch, findings)
    corpus = scratch / "corpus"
    corpus.mkdir()
    seeds = [part for seed in SEEDS[target]() for part in _apart(target, seed)]
    for number, seed in enumerate(seeds):
        (corpus / f"{number:03}").write_bytes(seed)
    atheris.Setup([argv[0], *argv[4:], str(corpus)], harness)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
