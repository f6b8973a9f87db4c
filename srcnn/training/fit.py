"""Training: `fit` yields one result after every epoch. It prints nothing and knows no tracker and no scheduler.

>>> from srcnn import TrainConfig, degrade, load, prepare
>>> images = load("sample/train").images
>>> config = TrainConfig(kernels="5-3", filters="8", scale=3, pixels="60k", epoch_pixels="20k", precision="fp32")
>>> validation = [degrade(images[0][1], 3)]
>>> for result in fit(config, prepare(images[1:], 3), validation=validation, device=torch.device("cpu")):
...     print(result.epoch, result.epochs, result.pixels, result.val_psnr > 20)
1 3 23328 True
2 3 46656 True
3 3 69984 True

The caller may stop after any epoch, save ``result.state()``, and pass it to `fit` later. The resumed run gives the same results
as an uninterrupted one: bit-identical on the same CPU, and on the same GPU with ``deterministic``. Without ``deterministic`` a
GPU chooses its algorithms by timing them, and two runs of one configuration differ in their last bits. This was not tested on a
GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from srcnn.config.training import TrainConfig
from srcnn.evaluation.degradation import Degraded
from srcnn.system.device import indexed, pick_device
from srcnn.training.checkpoint import TrainState
from srcnn.training.epoch_result import EpochResult
from srcnn.training.patches import TrainingData
from srcnn.training.recorded_step import Recorder
from srcnn.training.run import Run

__all__ = ["EpochResult", "fit", "step_on"]


def fit(
    config: TrainConfig,
    data: TrainingData,
    *,
    validation: Sequence[Degraded] = (),
    state: TrainState | None = None,
    start: Mapping[str, Tensor] | None = None,
    device: torch.device | str | None = None,
    on_step: Callable[[int, int, int], None] | None = None,
    recorded: bool | None = None,
    recorder: Recorder | None = None,
) -> Iterator[EpochResult]:
    """Train a network and yield a result after every epoch. What is wrong with the arguments is raised by the call itself.

    Args:
        config: configuration of the run, with a budget (``epochs`` or ``pixels``).
        data: training images, prepared for the scale, colour and protocol of the configuration.
        validation: images for choosing the best epoch; never test images.
        state: training state of an earlier run of the same configuration, to resume from.
        start: initial weights of a new run: state dict of another `SRCNN`. The layers whose shapes are equal are copied, see
            `srcnn.training.warm_start`; the others are initialized as usual. A resumed run ignores it.
        device: device for the training, or its name, such as ``cpu`` or ``cuda:1``; None: the current GPU of this process, else
            the CPU.
        on_step: called every few steps with (epoch, step in the epoch, steps per epoch), for a progress bar.
        recorded: whether to run the steps as a `RecordedStep`; None: on a GPU.
        recorder: recorder for a `RecordedStep`; None: CUDA graphs on a GPU, no recording elsewhere.

    Raises:
        ConfigError: there is no budget, the data was prepared for another scale, colour or protocol, no layer of ``start``
            has the shape of one of the network, there is no such device, or it cannot hold a step or the places of an epoch
            (`srcnn.training.memory`).
        DataError: an image is smaller than a sub-image or empty, or a value is NaN or infinite.
        CheckpointError: ``state`` belongs to another configuration.
        DivergenceError: the loss became NaN or infinite.
        DeadNetworkError: no gradient reaches the first layer.
    """
    where = indexed(device) if isinstance(device, torch.device) else pick_device("auto" if device is None else device)
    run = Run(config, data, validation, where, state, recorded, recorder, start)
    return _epochs(run, on_step)


def _epochs(run: Run, on_step: Callable[[int, int, int], None] | None) -> Iterator[EpochResult]:
    while run.epoch < run.epochs:
        yield run.train_epoch(on_step)


def step_on(device: torch.device, config: TrainConfig, data: TrainingData) -> list[Tensor]:
    """Return the gradients of the first batch of a run, one per weight.

    Works on every device, including ``meta``, where the tensors are empty.
    """
    run = Run(config, data, (), device, None, recorded=True)
    run.network.train()
    line = torch.zeros(1, dtype=torch.int64, device=device)
    run.backward(run.sampler.draw(1, run.generator).batch(line))
    return [p.grad for p in run.network.parameters() if p.grad is not None]
