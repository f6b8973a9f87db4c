"""SRCNN: the evaluation protocol of the papers, a trainer, and (in `srcnn.tuning`) a distributed hyperparameter search.

>>> from srcnn import evaluate, load
>>> images = load("sample/test").images
>>> print(f"{evaluate(None, images, scale=3).mean.psnr:.2f} dB")  # bicubic
29.41 dB

A trained network takes the place of None: ``network = load_network(Path("network.safetensors"))``. A photo is enlarged by
``upscale(Image.open("photo.jpg"), 3)``.

Importing this package loads neither Ray, Optuna nor MLflow. Each name is imported when it is first used, so that
``import srcnn`` and ``srcnn --help`` do not wait for torch.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

#: Module of each name in `__all__`.
_HOME = {
    "SRCNN": "srcnn.model.network",
    "ModelConfig": "srcnn.config.architecture",
    "TrainConfig": "srcnn.config.training",
    "degrade": "srcnn.evaluation.degradation",
    "evaluate": "srcnn.evaluation.protocol",
    "fit": "srcnn.training.fit",
    "load": "srcnn.data.datasets",
    "load_network": "srcnn.model.weights_file",
    "load_official": "srcnn.model.official_weights",
    "prepare": "srcnn.training.patches",
    "save_network": "srcnn.model.weights_file",
    "score_planes": "srcnn.evaluation.color_table",
    "split": "srcnn.data.image_set",
    "upscale": "srcnn.upscaling.enlarge",
}


def __getattr__(name: str) -> Any:
    """Import a name of `__all__`, or a package such as ``srcnn.tuning``, when it is first used."""
    if name in _HOME:
        found = globals()[name] = getattr(import_module(_HOME[name]), name)
        return found
    if name.startswith("_") or find_spec(f"{__name__}.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
