"""Pictures of a champion for people: parts of test images beside the original, bicubic and the paper's network.

Of the first test images, the one with the champion's highest and the one with its lowest gain over bicubic are shown, so that the
pictures do not show only the best case. The part is the square in which champion and bicubic differ most in squared error. The
files are ``IMAGE-KIND.png`` with a kind of `KINDS`, and a list of them as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from srcnn.data.image_set import ImageSet, NamedImage
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import reconstruct, score
from srcnn.imaging.color import ycbcr_to_rgb
from srcnn.imaging.image_files import modcrop, write_image
from srcnn.imaging.metrics import quantize
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network
from srcnn.system.atomic_file import atomic_write
from srcnn.tuning.tracking import names

__all__ = ["KINDS", "Picture", "draw_pictures", "picture_file"]

#: The whole original, bicubic, the paper's network (missing if it was not trained) and the champion.
KINDS = (ORIGINAL, BICUBIC, REFERENCE, CHAMPION) = ("original", "bicubic", "reference", "champion")
_SIDE = 160  # of a part, in pixels; less in a smaller image
_CANDIDATES = 10  # images that are compared: measuring all of a large set would take minutes


@dataclass(frozen=True)
class Picture:
    """Part of a test image, in pixels of the original, whose sides are divisible by the scale."""

    image: str  #: name of the image, as in the names of the files
    x: int  #: left column
    y: int  #: top row
    width: int
    height: int
    psnr: dict[str, float]  #: PSNR of the whole image in dB, as in the protocol, by kind except the original


def picture_file(image: str, kind: str) -> str:
    """Return the name of the file with a part of an image."""
    return f"{image}-{kind}.png"


def draw_pictures(
    champion: Path, reference: Path | None, tests: Sequence[ImageSet], scale: int, folder: Path
) -> list[Picture]:
    """Write the pictures of a champion and their list to a folder.

    Args:
        champion: file with the champion's network.
        reference: file with the paper's network; None: it was not trained.
        tests: test sets; the pictures are of the first that has images.
        scale: the scale.
        folder: folder for the files.

    Returns:
        The pictures, the one with the highest gain first; empty without test images.

    Raises:
        SRCNNError: a network cannot be read, or a picture cannot be written.
        OSError: the list cannot be written.
    """
    images = next((one.images for one in tests if len(one)), ())[:_CANDIDATES]
    if not images:
        return []
    network = load_network(champion)
    networks = {BICUBIC: None, **({REFERENCE: load_network(reference)} if reference else {}), CHAMPION: network}
    gains = [_psnr(network, one, scale) - _psnr(None, one, scale) for one in images]
    chosen = list(dict.fromkeys((int(np.argmax(gains)), int(np.argmin(gains)))))
    found = [_draw(images[place], networks, scale, folder) for place in chosen]
    with atomic_write(folder / names.ARTIFACT_PICTURE_LIST) as file:
        file.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n", encoding="utf-8")
    return found


def _psnr(network: SRCNN | None, image: NamedImage, scale: int) -> float:
    color = "y" if network is None else network.config.color
    return score(network, degrade(image[1], scale, color=color, name=image[0]), with_ssim=False).psnr


def _draw(image: NamedImage, networks: dict[str, SRCNN | None], scale: int, folder: Path) -> Picture:
    name = re.sub(r"[^\w.]+", "-", image[0])
    whole = modcrop(image[1], scale)
    views = {kind: _colors(network, whole, scale) for kind, network in networks.items()}
    views = {ORIGINAL: whole if whole.ndim == 3 else np.repeat(whole[:, :, None], 3, axis=2), **views}
    y, x, height, width = _part(*(views[kind] for kind in (ORIGINAL, BICUBIC, CHAMPION)))
    for kind, pixels in views.items():
        write_image(folder / picture_file(name, kind), np.ascontiguousarray(pixels[y : y + height, x : x + width]))
    figures = {kind: round(_psnr(network, image, scale), 4) for kind, network in networks.items()}
    return Picture(name, x, y, width, height, figures)


def _colors(network: SRCNN | None, whole: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Return an image shrunk and enlarged again, uint8 RGB (height, width, 3). A network of luminance leaves bicubic colours."""
    color = "y" if network is None else network.config.color
    if color == "rgb":
        return quantize(reconstruct(network, degrade(whole, scale, color="rgb"))).astype(np.uint8)
    planes = degrade(whole, scale, color="ycbcr").bicubic.astype(np.float64)
    if network is not None:
        result = reconstruct(network, degrade(whole, scale, color=color))
        planes[:, :, : result.shape[2]] = result
    return ycbcr_to_rgb(quantize(planes))


def _part(
    original: NDArray[np.uint8], bicubic: NDArray[np.uint8], champion: NDArray[np.uint8]
) -> tuple[int, int, int, int]:
    """Return row, column, height and width of the part where the squared errors of the two differ most."""
    truth = original.astype(np.float64)
    first, second = (((one - truth) ** 2).sum(axis=2) for one in (bicubic, champion))
    height, width = min(_SIDE, truth.shape[0]), min(_SIDE, truth.shape[1])
    # The filter's window is centred; the windows that lie inside the image are those of these rows and columns.
    mean = uniform_filter(np.asarray(first - second), size=(height, width), mode="constant")
    rows, columns = truth.shape[0] - height + 1, truth.shape[1] - width + 1
    inside = mean[height // 2 : height // 2 + rows, width // 2 : width // 2 + columns]
    y, x = np.unravel_index(int(np.abs(inside).argmax()), inside.shape)
    return int(y), int(x), height, width
