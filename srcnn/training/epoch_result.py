"""`EpochResult`: what `srcnn.training.fit.fit` yields after every epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from srcnn.model.network import SRCNN
from srcnn.training.checkpoint import TrainState

__all__ = ["EpochResult"]


@dataclass(frozen=True)
class EpochResult:
    """Result of one epoch. PSNRs are means over the validation images, in dB; None if there are no validation images."""

    epoch: int  #: number of the epoch, from 1
    epochs: int  #: number of epochs of the run
    step: int  #: optimiser steps since the start of the run
    pixels: int  #: target pixels since the start of the run
    loss: float  #: mean squared error over the targets of the epoch, on planes in [0, 1], whatever loss is minimized
    learning_rate: float  #: learning rate of the last step of the epoch
    seconds: float  #: training time since the start of the run, in seconds, without validation
    val_psnr: float | None
    val_gain: float | None  #: val_psnr minus the PSNR of bicubic upscaling, in dB
    best_epoch: int  #: epoch of the highest val_psnr so far; the last epoch without validation, or in pre-training
    best_val_psnr: float | None
    network: SRCNN  #: the network in training (with ``ema``: its average): copy it before the next epoch to keep it
    best_weights: Mapping[str, Tensor]  #: state dict of the network after ``best_epoch``
    taken: tuple[int, ...]  #: layers, counted from 0, that began with the weights of ``start``; empty in a resumed run
    state: Callable[[], TrainState]  #: returns a copy of the training state after this epoch

    @property
    def done(self) -> bool:
        """Whether this is the last epoch of the run."""
        return self.epoch == self.epochs
