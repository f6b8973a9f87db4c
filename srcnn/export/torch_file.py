"""Networks as files of torch.export (.pt2), which torch loads without this package: ``torch.export.load(path).module()``.

Input and output are those of `srcnn.export.plain_network.PlainNetwork`. Batch, height and width are free; height and width must
be at least 2. `EXTRA` in the file is JSON with the scale, the configuration and the licence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import Dim, export, load, save

from srcnn.config.architecture import ModelConfig
from srcnn.errors import CheckpointError
from srcnn.export.parity import check, largest_difference
from srcnn.export.plain_network import PlainNetwork
from srcnn.model.network import SRCNN
from srcnn.system.atomic_file import atomic_write

__all__ = ["EXTRA", "save_exported"]

EXTRA = "srcnn.json"  #: name of the additional file inside, see ``extra_files`` of torch.export.load


def save_exported(network: SRCNN, path: Path, metadata: Mapping[str, str] | None = None) -> float:
    """Write a file of torch.export, unless what it computes differs from the protocol.

    Args:
        network: the network.
        path: the file, which is replaced.
        metadata: entries for the JSON inside, besides scale and configuration.

    Returns:
        Largest difference to the protocol, for values in [0, 1] (`srcnn.export.parity`).

    Raises:
        CheckpointError: the file cannot be written, or the difference is too large.
    """
    config = network.config
    example = torch.zeros(2, config.channels, 16, 24)
    sizes = {0: Dim("batch"), 2: Dim("height", min=2), 3: Dim("width", min=2)}
    program = export(PlainNetwork(network), (example,), dynamic_shapes=(sizes,))
    plain = ModelConfig(**{name: getattr(config, name) for name in ModelConfig.model_fields})
    about = {"scale": config.scale, "config": plain.model_dump(mode="json"), **(metadata or {})}
    try:
        with atomic_write(path) as file:
            save(program, str(file), extra_files={EXTRA: json.dumps(about)})
            module = load(str(file)).module()

            def run(small: NDArray[np.float32]) -> NDArray[np.float32]:
                with torch.inference_mode():
                    result: NDArray[np.float32] = module(torch.from_numpy(small)).numpy()
                return result

            return check(path, largest_difference(network, run))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error})") from None
