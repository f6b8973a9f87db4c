"""Measurement of trained networks on image sets, in parallel on the free cores of the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import ray

from srcnn.data.image_set import ImageSet, NamedImage
from srcnn.evaluation.protocol import Score, evaluate
from srcnn.model.weights_file import load_network
from srcnn.system.allocator import keep_freed_memory

__all__ = ["Scores", "measure"]

Scores = Mapping[str, tuple[Score, ...]]  #: scores of the images in the order of the set, by name of the set


@ray.remote  # type: ignore[untyped-decorator]
def _test(path: str, scale: int, sets: Sequence[tuple[str, tuple[NamedImage, ...]]], with_ssim: bool) -> Scores:
    """Measure one checkpoint on all sets."""
    import torch

    torch.set_num_threads(1)
    keep_freed_memory()
    network = load_network(Path(path))
    return {name: evaluate(network, images, scale, with_ssim=with_ssim).images for name, images in sets}


def measure(
    networks: Mapping[str, tuple[Path, int]], sets: Sequence[ImageSet], *, with_ssim: bool = True
) -> dict[str, Scores]:
    """Measure PSNR in dB and SSIM of networks.

    Args:
        networks: checkpoint and scale, by any key.
        sets: image sets.
        with_ssim: whether to compute SSIM; otherwise it is NaN, for choices that use only PSNR.

    Returns:
        The scores, by the same keys.
    """
    images = ray.put([(one.name, one.images) for one in sets])
    pending = {
        key: _test.options(num_cpus=1).remote(str(path), scale, images, with_ssim)
        for key, (path, scale) in networks.items()
    }
    return {key: ray.get(reference) for key, reference in pending.items()}
