"""Pictures of a champion: where they are cut, what their figures are, and that nothing is enlarged wrongly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet
from srcnn.evaluation.protocol import evaluate
from srcnn.imaging.image_files import modcrop, read_image
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import save_network
from srcnn.tuning.whole_search import pictures
from srcnn.tuning.whole_search.pictures import draw_pictures, picture_file


def network(folder: Path, name: str, **fields: object) -> Path:
    config = TrainConfig(**{"kernels": (5, 1, 3), "filters": (8, 8), "scale": 3, "residual": True, **fields})
    file = folder / f"{name}.safetensors"
    save_network(file, SRCNN(config.architecture).state_dict(), config, {})
    return file


def photographs(*sizes: tuple[int, ...]) -> ImageSet:
    source = np.random.default_rng(0)
    images = []
    for place, size in enumerate(sizes):
        rough = source.integers(0, 256, (size[0] // 8 + 1, size[1] // 8 + 1, *size[2:]), dtype=np.uint8)
        image = np.repeat(np.repeat(rough, 8, axis=0), 8, axis=1)[: size[0], : size[1]]
        images.append((f"set/photo {place}", image))
    return ImageSet("test", tuple(images))


def test_pictures_show_the_best_and_the_worst_image_with_figures_of_the_protocol(tmp_path: Path) -> None:
    images = photographs((200, 230, 3), (190, 170, 3), (170, 300))
    files = network(tmp_path, "champion"), network(tmp_path, "paper")
    found = draw_pictures(files[0], files[1], [ImageSet("none", ()), images], 3, tmp_path / "out")
    assert len(found) == 2
    listed = json.loads((tmp_path / "out" / "pictures.json").read_text(encoding="utf-8"))
    assert [one["image"] for one in listed] == [one.image for one in found]
    plain = {score.name.replace("/", "-").replace(" ", "-"): score for score in evaluate(None, images.images, 3).images}
    whole = {name.replace("/", "-").replace(" ", "-"): image for name, image in images.images}
    for one, entry in zip(found, listed, strict=True):
        assert (one.width, one.height) == (160, 160) and entry["psnr"].keys() == {"bicubic", "reference", "champion"}
        assert one.psnr["bicubic"] == pytest.approx(plain[one.image].psnr, abs=1e-4)
        cut = np.s_[one.y : one.y + 160, one.x : one.x + 160]
        original = read_image(tmp_path / "out" / picture_file(one.image, "original"))
        reference = modcrop(whole[one.image], 3)[cut]
        assert (original == (reference if reference.ndim == 3 else reference[:, :, None])).all()
        bicubic = read_image(tmp_path / "out" / picture_file(one.image, "bicubic"))
        assert bicubic.shape == original.shape and (bicubic != original).any()
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(
        ["pictures.json", *(picture_file(one.image, kind) for one in found for kind in pictures.KINDS)]
    )


def test_the_part_is_where_the_two_differ_most() -> None:
    truth = np.zeros((300, 400, 3), np.uint8)
    bicubic, champion = truth.copy(), truth.copy()
    bicubic[200:240, 310:330] = 90
    champion[10:20, 10:20] = 40
    y, x, height, width = pictures._part(truth, bicubic, champion)
    assert y <= 200 and y + height >= 240 and x <= 310 and x + width >= 330
    assert pictures._part(truth[:50, :60], bicubic[:50, :60], champion[:50, :60]) == (0, 0, 50, 60)


@pytest.mark.parametrize("color", ["y", "ycbcr", "rgb"])
def test_a_network_of_each_kind_of_colour_without_a_reference(tmp_path: Path, color: str) -> None:
    file = network(tmp_path, "champion", color=color)
    (found,) = draw_pictures(file, None, [photographs((96, 96, 3))], 3, tmp_path / "out")
    assert found.psnr.keys() == {"bicubic", "champion"} and (found.width, found.height) == (96, 96)
    champion, bicubic = (
        read_image(tmp_path / "out" / picture_file(found.image, kind)).astype(int) for kind in ("champion", "bicubic")
    )
    assert np.abs(champion - bicubic).mean() < 60  # an untrained residual network stays near bicubic


def test_without_images_there_are_no_pictures(tmp_path: Path) -> None:
    assert draw_pictures(network(tmp_path, "champion"), None, [], 3, tmp_path / "out") == []
    assert not (tmp_path / "out").exists()
