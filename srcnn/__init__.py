"""SRCNN: the evaluation protocol of the papers, a trainer, and (in `srcnn.tuning`) a distributed hyperparameter search.

>>> from srcnn import evaluate, load
>>> images = load("sample/test").images
>>> print(f"{evaluate(None, images, scale=3).mean.psnr:.2f} dB")  # bicubic
29.41 dB

A trained network takes the place of None: ``network = load_network(Path("network.safetensors"))``. A photo is enlarged by
``upscale(Image.open("photo.jpg"), 3)``.

Importing this package loads neither Ray, Optuna nor MLflow.
"""

from srcnn.config.architecture import ModelConfig
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.data.image_set import split
from srcnn.evaluation.color_table import score_planes
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import evaluate
from srcnn.model.network import SRCNN
from srcnn.model.official_weights import load_official
from srcnn.model.weights_file import load_network, save_network
from srcnn.training.fit import fit
from srcnn.training.patches import prepare
from srcnn.upscaling.enlarge import upscale

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
    "upscale",
]
__version__ = "0.1.0"
