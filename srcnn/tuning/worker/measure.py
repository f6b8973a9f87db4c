"""Measurement of trained networks, image by image, on free cores of the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import ray

from srcnn.data.image_set import ImageSet, NamedImage
from srcnn.evaluation.protocol import Score, evaluate
from srcnn.model.weights_file import load_network
from srcnn.system.allocator import keep_freed_memory

__all__ = ["Scores", "measure"]

Scores = Mapping[str, tuple[Score, ...]]  #: scores of all images by set, in the order of the set


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
        networks: checkpoint and scale by key.
        sets: the images to measure on.
        with_ssim: if False, SSIM is NaN; for choices that use PSNR alone.

    Returns:
        The scores by the same keys.
    """
    images = ray.put([(one.name, one.images) for one in sets])
    pending = {
        key: _test.options(num_cpus=1).remote(str(path), scale, images, with_ssim)
        for key, (path, scale) in networks.items()
    }
    return {key: ray.get(reference) for key, reference in pending.items()}
