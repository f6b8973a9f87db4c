"""Networks by name, for every command that takes a trained network.

=============================  =======================================================================================
name                           network
=============================  =======================================================================================
``champion``                   the one that comes with the package for the scale
``champion-8k``                one with fewer weights, where the package has it (``champion-25k``, ``champion-8k``)
``registry``                   the champion of the scale in the model registry of the MLflow store, from a search
``RUN_ID``                     that of a trial's run in the MLflow store: 32 hexadecimal digits
``FILE``                       a weights file of this package (.safetensors), or one of the SRCNN authors (.mat)
``official:9-5-5``             the authors' network; with its training set if there are several: ``official:9-1-5(ImageNet)``
``models:/srcnn-x3@champion``  a version in the model registry, by alias or by number: ``models:/srcnn-x3/2``
``bicubic``                    none: bicubic upscaling
=============================  =======================================================================================
"""

from __future__ import annotations

import re
from pathlib import Path

from srcnn.champions.shipped import SCALES, champion_names, load_champion, size_of_name
from srcnn.commands.main import need_platform
from srcnn.data.fetch import WEIGHTS
from srcnn.data.known_sets import data_root as find_root
from srcnn.errors import CheckpointError, ConfigError, unknown_name
from srcnn.model.network import SRCNN
from srcnn.model.official_weights import load_official, official_file
from srcnn.model.weights_file import load_network
from srcnn.system.folders import typed_path

__all__ = ["MODEL_HELP", "TRACKING_URI", "WORDS", "load_model", "official_names"]

WORDS = ("bicubic", "champion", "registry")  #: names that are words
TRACKING_URI = "sqlite:///mlruns/mlflow.db"  #: default MLflow store of the searches
MODEL_HELP = (
    f"{' or '.join(champion_names())} (with the package), registry (champion of your searches), the id of an MLflow run, a "
    ".safetensors or .mat file, official:9-5-5, models:/srcnn-x3@champion, or bicubic"
)
_OFFICIAL = "official:"
_REGISTERED = "models:/"
_RUN = re.compile(r"[0-9a-f]{32}")


def load_model(
    name: str,
    scale: int | None = None,
    *,
    tracking_uri: str = TRACKING_URI,
    data_root: str | Path | None = None,
    option: str = "--model",
) -> SRCNN | None:
    """Return the network with a name, on the CPU, in evaluation mode; None for bicubic.

    Args:
        name: see the docstring of this module.
        scale: upscaling factor, 2, 3 or 4; None: that of the network, if the name determines it.
        tracking_uri: MLflow store for ``registry``, ``RUN_ID`` and ``models:/...``.
        data_root: data root with the authors' files, as in `srcnn.data.known_sets.data_root`.
        option: name of the flag, for messages.

    Raises:
        ConfigError: nothing has this name, or it does not determine the scale, or its network has another scale.
        CheckpointError: a file is missing or damaged.
        SearchError: the store or what is to be read from it does not exist.
    """
    if scale is not None and scale not in SCALES:
        raise ConfigError(f"--scale: must be 2, 3 or 4, but got {scale}")
    network = _found(name, scale, tracking_uri, data_root, option)
    if network is not None and scale not in (None, network.config.scale):
        raise ConfigError(f"--scale: must be {network.config.scale} for {name}, but got {scale}")
    return network


def _found(name: str, scale: int | None, uri: str, root: str | Path | None, option: str) -> SRCNN | None:
    size = size_of_name(name)
    if size or name in WORDS or name.startswith(_OFFICIAL) or name.endswith(".mat"):
        if scale is None:
            raise ConfigError(f"--scale: must be given as 2, 3 or 4, because {name} does not contain it")
        if name == "bicubic":
            return None
        if size:
            if name not in champion_names():
                raise ConfigError(f"{option}: {unknown_name('network', name, champion_names())}")
            return load_champion(scale, size=size)
        if name == "registry":
            need_platform(name)
            from srcnn.tuning.tracking.registry import registered_network

            return registered_network(uri, scale)
        if name.startswith(_OFFICIAL):
            return _official(name.removeprefix(_OFFICIAL), scale, find_root(root), option)
        return load_official(Path(name), scale)
    if name.startswith(_REGISTERED):
        need_platform(name)
        from srcnn.tuning.tracking.registry import version_at

        return version_at(uri, name)
    file = typed_path(name, option)
    if _RUN.fullmatch(name) and not file.exists():
        need_platform(name)
        from srcnn.tuning.tracking.registry import network_of_run

        return network_of_run(uri, name)
    if file.is_file() or file.suffix == ".safetensors" or len(file.parts) > 1:
        return load_network(file)
    known = list(dict.fromkeys([*champion_names(), *WORDS, *official_names(), "models:/srcnn-x3@champion"]))
    raise ConfigError(
        f"{option}: {unknown_name('network', name, known)}; "
        "or give a .safetensors or .mat file or the id of an MLflow run"
    )


def official_names() -> list[str]:
    """Return the names of the authors' networks, such as ``official:9-5-5``."""
    return list(dict.fromkeys(f"{_OFFICIAL}{file.partition('(')[0]}" for file in WEIGHTS))


def _official(kind: str, scale: int, root: Path, option: str) -> SRCNN:
    """Return a network of the authors, such as 9-5-5; where they released several, the first one: 9-1-5(91 images)."""
    folders = [file.partition("/")[0] for file in WEIGHTS if file.endswith(f"/x{scale}.mat")]
    chosen = [folder for folder in folders if kind in (folder, folder.partition("(")[0])]
    if not chosen:
        known = [f"{_OFFICIAL}{folder}" for folder in folders]
        raise ConfigError(f"{option}: {unknown_name(f'network at x{scale}', f'{_OFFICIAL}{kind}', known)}")
    file = official_file(chosen[0], scale, root)
    if file is None:
        raise CheckpointError(
            f"{_OFFICIAL}{kind}: {chosen[0]}/x{scale}.mat is not below {root / 'weights' / 'srcnn-official'}; fetch it with: "
            "python experiments/data.py fetch weights"
        )
    return load_official(file, scale)
