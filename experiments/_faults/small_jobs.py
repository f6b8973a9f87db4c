"""Jobs without a store: photos of a folder enlarged, a set fetched from a server on this machine, training, a trial's worker."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from ray import tune

from srcnn.commands import data as data_command
from srcnn.commands import train as train_command
from srcnn.commands import upscale as upscale_command
from srcnn.commands.command_line import run
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load, verify
from srcnn.data.known_sets import SETS, KnownSet
from srcnn.evaluation.degradation import degrade
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network, read_header
from srcnn.training.checkpoint import load_state
from srcnn.training.patches import prepare
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.worker import run_trial as worker
from srcnn.tuning.worker.run_trial import NETWORK_FILE, STATE_FILE, ScaleData
from srcnn.tuning.worker.trial_device import Place
from srcnn.tuning.worker.watchdog import Watchdog
from srcnn.upscaling.folders import RECORD

from _faults.cases import Job, State

__all__ = ["digests", "fetch_job", "mirror", "network_digest", "picture", "train_job", "upscale_job", "worker_job"]


def picture(seed: int, height: int = 30, width: int = 36) -> Image.Image:
    """Return a smooth picture of random colours."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def digests(folder: Path) -> dict[str, str]:
    """Return a digest of each file below a folder, without files that are being written."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith((".writing-", ".fetching-")) for part in path.parts)
    }


def _digest(tensors: Mapping[str, torch.Tensor]) -> hashlib._Hash:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.detach().contiguous().numpy().tobytes())
    return digest


def network_digest(network: SRCNN) -> str:
    """Return a digest of a network's weights."""
    return str(_digest(network.state_dict()).hexdigest()[:16])


def _network(file: Path) -> list[str]:
    """Return a network's header and a digest of its weights. The bytes of equal files differ by the order of the header."""
    return [json.dumps(read_header(file), sort_keys=True), network_digest(load_network(file))]


def _tensors(file: Path) -> str:
    """Return a digest of a training state's tensors and of those of its numbers that are no times."""
    state = load_state(file)
    digest = _digest(state.tensors)
    digest.update(str([state.numbers[name] for name in ("epoch", "step", "best_epoch", "best_psnr")]).encode())
    return digest.hexdigest()[:16]


# Photos of a folder.


def _photos(folder: Path) -> None:
    for number, name in enumerate(("a.png", "b.tif", "c.jpg", "below/d.png", "below/e.webp")):
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(folder / "photos" / name)


def _enlarge(folder: Path) -> int:
    photos, out = str(folder / "photos"), str(folder / "out")
    return upscale_command.main([photos, "--out", out, "--scale", "2", "--model", "bicubic", "--compare", "--quiet"])


def _enlarged(folder: Path) -> State:
    files = digests(folder / "out")
    files.pop(RECORD, None)
    lines = (folder / "out" / RECORD).read_text(encoding="utf-8").splitlines()
    known = {json.loads(line)["result"] for line in lines if line.startswith("{") and line.endswith("}")}
    return {**files, "record": sorted(known)}


def _no_half_photo(folder: Path, wanted: State) -> Sequence[str]:
    if not (folder / "out").is_dir():
        return []
    return [
        f"{name} is not whole" for name, digest in digests(folder / "out").items() if wanted.get(name, digest) != digest
    ]


def upscale_job() -> Job:
    """Five photos of a folder, of four formats, and pictures that compare."""
    return Job("upscale", _photos, _enlarge, _enlarged, _no_half_photo)


# A set from a server.


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as pack:
        for number in (1, 2, 3):
            image = io.BytesIO()
            picture(number).save(image, "BMP")
            pack.writestr(zipfile.ZipInfo(f"Train/t{number}.bmp"), image.getvalue())
    return buffer.getvalue()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body, wanted = _archive(), self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


def _serve(pipe: int) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        os.write(pipe, str(server.server_port).encode())
        while os.getppid() == _PARENT:
            threading.Event().wait(0.5)


_PARENT = os.getpid()


@contextmanager
def mirror() -> Iterator[str]:
    """Serve an archive with three images on this machine, from a process of its own; yield the address."""
    global _PARENT
    _PARENT = os.getpid()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _serve(writer)
        finally:
            os._exit(0)
    os.close(writer)
    try:
        yield f"http://127.0.0.1:{os.read(reader, 20).decode()}"
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(reader)


def _nothing(folder: Path) -> None:
    (folder / "root").mkdir()


def _known_set(folder: Path) -> None:
    """Make T91 the name of the three images of `_archive`, in this process."""
    own = folder / "own" / "T91"
    own.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(_archive())) as pack:
        for name in pack.namelist():
            (own / Path(name).name).write_bytes(pack.read(name))
    registry = cast("dict[str, KnownSet]", SETS)
    registry["T91"] = KnownSet("T91", 3, "SRCNN_train.zip", ("Train",), digest="?")
    (said,) = verify("T91", own.parent)
    registry["T91"] = KnownSet("T91", 3, "SRCNN_train.zip", ("Train",), digest=said.rpartition(" ")[2])


def _fetch(address: str, folder: Path) -> int:
    os.environ["no_proxy"] = "*"
    return data_command.main(["fetch", "T91", "--data-root", str(folder / "root"), "--mirror", address])


def _fetched(folder: Path) -> State:
    return digests(folder / "root")


def _no_half_set(folder: Path, wanted: State) -> Sequence[str]:
    place = folder / "root" / "T91"
    if not place.is_dir() or not any(place.iterdir()):
        return []
    names = [name for name in wanted if name.startswith("T91/")]
    found = digests(folder / "root")
    return [f"{name} is missing or not whole" for name in names if found.get(name) != wanted[name]]


def fetch_job(scratch: Path, address: str) -> Job:
    """A set of three images, downloaded, unpacked, verified and moved to its place."""
    _known_set(scratch)
    return Job("fetch", _nothing, partial(_fetch, address), _fetched, _no_half_set)


# A training.

_BUDGET = ("--pixels", "30e3", "--epoch-pixels", "10e3")  # three epochs


def _images(folder: Path) -> None:
    for kind, count in (("train", 4), ("test", 1)):
        (folder / kind).mkdir()
        for number in range(count):
            picture(number if kind == "train" else 50 + number, 60, 60).save(folder / kind / f"{number}.png")


def _train(folder: Path) -> int:
    if (folder / "run" / STATE_FILE).exists():
        return train_command.main(["--resume", "run"])
    small = ["--kernels", "5-1-3", "--filters", "4-4", "--scale", "2", "--patch-size", "24", "--batch-size", "4"]
    given = ["--train", "train", "--test", "test", "--validation", "1", "--out", "run", *_BUDGET]
    return train_command.main([*given, *small])


def _trained(folder: Path) -> State:
    result = json.loads((folder / "run" / "result.json").read_text(encoding="utf-8"))
    result.pop("seconds")
    return {
        "result": result,
        "network": _network(folder / "run" / NETWORK_FILE),
        "state": _tensors(folder / "run" / STATE_FILE),
    }


def train_job() -> Job:
    """The command train, resumed where it left off."""
    return Job("train", _images, _train, _trained)


# A worker of a search.


def _work(folder: Path) -> int:
    images = load(str(folder / "train")).images
    data: dict[int | str, ScaleData] = {
        2: ScaleData(prepare(images[1:], 2), tuple(degrade(image, 2, name=name) for name, image in images[:1]))
    }
    reports: list[dict[str, Any]] = []
    tune.report = reports.append

    class Context:
        def get_node_id(self) -> str:
            return "here"

    setattr(worker, "get_runtime_context", Context)  # noqa: B010 (not exported there)
    place = Place(str(folder), 1, 0.0, latency=False, patience=None)
    trial = folder / "trial"
    watchdog = Watchdog(trial, None)
    try:
        worker._train(TrialSpec(_worker_config()), data, place, trial, torch.device("cpu"), watchdog)
    finally:
        watchdog.close()
    return 0 if reports and reports[-1]["epoch"] == reports[-1]["epochs"] else 1


def _worker_config() -> TrainConfig:
    return TrainConfig(
        kernels=(5, 1, 3), filters=(4, 4), scale=2, patch_size=24, batch_size=4, pixels=30e3, epoch_pixels=10e3, seed=5
    )


def _worked(folder: Path) -> State:
    figures = load_state(folder / "trial" / STATE_FILE).numbers["figures"]
    curve = [[one["objective"], one["loss"]] for one in figures]
    return {
        "network": _network(folder / "trial" / NETWORK_FILE),
        "state": _tensors(folder / "trial" / STATE_FILE),
        "curve": curve,
    }


def worker_job() -> Job:
    """One trial of a search in its worker, which saves network and state after every epoch; Ray's part is left out."""
    return Job("worker", _images, lambda folder: run(lambda: _work(folder), ""), _worked)
