"""SRCNN: the papers' protocol to the last decimal, a trainer, and (in `srcnn.tuning`) a distributed search on top.

    from pathlib import Path
    from srcnn import evaluate, load, load_network

    network = load_network(Path("network.safetensors"))
    print(evaluate(network, load("sample/test").images, network.config.scale).mean)

Importing this package loads neither Ray, Optuna nor MLflow.
"""

from srcnn.checkpoint import load_network, save_network
from srcnn.color_score import score_planes
from srcnn.config import ModelConfig, TrainConfig
from srcnn.datasets import load, split
from srcnn.evaluate import degrade, evaluate
from srcnn.model import SRCNN
from srcnn.official import load_official
from srcnn.patches import prepare
from srcnn.train import fit

__all__ = [
    "SRCNN",
    "ModelConfig",
    "TrainConfig",
    "degrade",
    "evaluate",
    "fit",
    "load",
    "load_network",
    "load_official",
    "prepare",
    "save_network",
    "score_planes",
    "split",
]
__version__ = "0.1.0"
