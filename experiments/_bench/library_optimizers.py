"""This project's Muon beside `torch.optim.Muon`, on the same configuration, weights, batches and rates. For docs/libraries.md.

    PYTHONPATH=experiments python -m _bench.library_optimizers experiments/results/library-optimizers.json

Trained and tested on the bundled sample. torch's optimizer takes matrices only, so it is given views of the convolutions'
weights; the last layer and the biases take `torch.optim.Adam`'s steps in the other two, and the same function's in ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

import srcnn.training.run as run_module
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.data.known_sets import data_root
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.evaluation.protocol import score
from srcnn.model.network import SRCNN
from srcnn.system.atomic_file import atomic_write
from srcnn.training.fit import fit
from srcnn.training.optimizers import make_optimizer
from srcnn.training.patches import TrainingData, prepare

from _bench.machine import child_environment, clock, pinned, quiet_core
from _bench.provenance import header
from _bench.record import summary
from _bench.worker import FILTERS, SCALE

_SPECTRAL = 100.0  # as in srcnn.training.optimizers: the length of a matrix step over the rate
_STEPS = 200  # optimizer steps that are timed

Make = Callable[[TrainConfig, SRCNN], Any]


class TorchMuon:
    """`torch.optim.Muon` and `torch.optim.Adam` behind what `fit` asks of an optimizer."""

    def __init__(self, config: TrainConfig, network: SRCNN, momentum: float, weight_decay: float) -> None:
        self.state: dict[Any, dict[str, Tensor]] = {}
        self.param_groups = make_optimizer(config, network).param_groups
        self._matrices: list[tuple[nn.Parameter, nn.Parameter]] = []
        inner: list[tuple[dict[str, Any], torch.optim.Optimizer]] = []
        for group in self.param_groups:
            parameters = group["params"]
            if group["matrix"]:
                views = [nn.Parameter(_matrix(p.detach())) for p in parameters]
                assert all(v.data_ptr() == p.data_ptr() for v, p in zip(views, parameters, strict=True))
                self._matrices += zip(views, parameters, strict=True)
                inner.append((group, torch.optim.Muon(views, lr=0.0, momentum=momentum, weight_decay=weight_decay)))
            else:
                inner.append((group, torch.optim.Adam(parameters, lr=0.0, betas=(0.9, 0.99), fused=True)))
        self._inner = inner

    def step(self) -> None:
        """Move every parameter."""
        for view, parameter in self._matrices:
            assert parameter.grad is not None, "every layer has a gradient"
            view.grad = _matrix(parameter.grad)
        for group, optimizer in self._inner:
            optimizer.param_groups[0]["lr"] = group["lr"] * (_SPECTRAL if group["matrix"] else 1.0)
            optimizer.step()


def _matrix(weight: Tensor) -> Tensor:
    """A convolution's weight as a matrix (outputs, the rest) in the order of memory; Muon does not mind the columns' order."""
    return weight.permute(0, 2, 3, 1).flatten(1)


#: What is compared: ours; torch's at our momentum and without weight decay; torch's as it comes.
ARMS: dict[str, Make] = {
    "ours": make_optimizer,
    "torch, same settings": lambda config, network: TorchMuon(config, network, 0.9, 0.0),
    "torch, its defaults": lambda config, network: TorchMuon(config, network, 0.95, 0.1),
}


def _config(kernels: str, pixels: float, seed: int) -> TrainConfig:
    fields: dict[str, Any] = {"kernels": kernels, "filters": FILTERS, "scale": SCALE, "seed": seed}
    return TrainConfig(**fields, pixels=pixels, epoch_pixels=pixels / 3)


def _run(make: Make, config: TrainConfig, data: TrainingData, test: Sequence[Degraded]) -> dict[str, Any]:
    """Train with an optimizer: PSNR on the test images in dB, seconds of this core."""
    started = clock("cpu")
    with mock.patch.object(run_module, "make_optimizer", lambda config, network, _expansion: make(config, network)):
        *_, last = fit(config, data, device=torch.device("cpu"))
    seconds = clock("cpu") - started
    psnr = statistics.fmean(score(last.network, image, with_ssim=False).psnr for image in test)
    return {"seed": config.seed, "psnr": psnr, "seconds": seconds, "steps": last.step}


_FIRST = """\
import sys, time, torch
from srcnn.model.network import SRCNN
from _bench.library_optimizers import ARMS, _config
config = _config("9-1-5", 1e6, 1)
network = SRCNN(config.architecture).to(memory_format=torch.channels_last)
for parameter in network.parameters():
    parameter.grad = torch.randn_like(parameter)
started = time.process_time()
ARMS[sys.argv[1]](config, network).step()
print(time.process_time() - started, len([name for name in sys.modules if name.startswith("torch._dynamo")]))
"""


def _first_use(name: str) -> dict[str, Any]:
    """Seconds from making an optimizer to the end of its first step in a process of its own; the compiler's modules there."""
    found = [
        subprocess.run(
            [sys.executable, "-c", _FIRST, name], env=child_environment(), capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(5)
    ]
    return {"seconds": summary([float(seconds) for seconds, _ in found]), "compiler_modules": int(found[0][1])}


def _step_times(kernels: str, rounds: int = 7) -> dict[str, list[float]]:
    """Microseconds of one optimizer step on random gradients, interleaved; smallest to largest of some rounds."""
    arms = {}
    for name, make in ARMS.items():
        config = _config(kernels, 1e6, 1)
        network = SRCNN(config.architecture).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = make(config, network)
        for group in optimizer.param_groups:
            group["lr"] = 1e-6
        for parameter in network.parameters():
            parameter.grad = torch.randn_like(parameter)
        for _ in range(20):
            optimizer.step()
        arms[name] = optimizer
    found: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, optimizer in arms.items():
            started = time.process_time()
            for _ in range(_STEPS):
                optimizer.step()
            found[name].append((time.process_time() - started) / _STEPS * 1e6)
    return found


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--kernels", default="9-1-5,9-5-5")
    parser.add_argument("--pixels", type=float, default=3e6)
    options = parser.parse_args()
    about = header("", [], options.seeds, 1)
    about["command"] = " ".join(["PYTHONPATH=experiments python -m _bench.library_optimizers", *sys.argv[1:]])
    root = data_root(None)
    data = prepare(load("sample/train", root).images, SCALE)
    test = [degrade(image, SCALE, name=name) for name, image in load("sample/test", root).images]
    result: dict[str, Any] = {"provenance": about, "pixels": options.pixels, "scale": SCALE, "networks": {}}
    with pinned(quiet_core()):
        result["first_use"] = {name: _first_use(name) for name in ARMS}
        for make in ARMS.values():
            _run(make, _config("9-1-5", 2e5, 1), data, test)  # what torch sets up once
        for kernels in options.kernels.split(","):
            runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ARMS}
            for seed in range(1, options.seeds + 1):
                for name, make in ARMS.items():
                    runs[name].append(_run(make, _config(kernels, options.pixels, seed), data, test))
                    print(kernels, name, runs[name][-1], flush=True)
            times = _step_times(kernels)
            result["networks"][kernels] = {name: _row(runs[name], runs["ours"], times[name]) for name in ARMS}
    with atomic_write(options.json) as file:
        file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _row(runs: list[dict[str, Any]], ours: list[dict[str, Any]], times: list[float]) -> dict[str, Any]:
    lead = [run["psnr"] - other["psnr"] for run, other in zip(runs, ours, strict=True)]
    return {
        "psnr": summary([run["psnr"] for run in runs]),
        "psnr_minus_ours": {**summary(lead), "mean": statistics.fmean(lead), "deviation": statistics.stdev(lead)},
        "seconds": summary([run["seconds"] for run in runs]),
        "step_microseconds": summary(times),
        "runs": runs,
    }


if __name__ == "__main__":
    sys.exit(main())
