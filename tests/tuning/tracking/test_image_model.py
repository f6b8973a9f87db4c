"""A network as an MLflow model: what is in its folder, what it answers in this process, and its answers to mistakes."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from PIL import Image

import srcnn.tuning.tracking.image_model as image_model
from srcnn.model.weights_file import save_network
from srcnn.tuning.tracking.image_model import COLUMN, ImageModel, save_image_model
from srcnn.upscaling.enlarge import upscale

from small_network import small_network

NETWORK = small_network(scale=3, filters=(4, 4))


def file_of(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def photo(mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 14, 4), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    return Image.fromarray(pixels).convert(mode) if "A" in mode else Image.fromarray(pixels[:, :, :3]).convert(mode)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    there = tmp_path_factory.mktemp("image-model")
    save_network(there / "network.safetensors", NETWORK.state_dict(), NETWORK.config)
    save_image_model(there / "network.safetensors", there / "model", "0" * 32, "model")
    return there / "model"


def test_a_folder_has_the_weights_and_no_pickle(folder: Path) -> None:
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert {"MLmodel", "data/network.safetensors", "requirements.txt", "serving_input_example.json"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".py"))]
    assert "loader_module: srcnn.tuning.tracking.image_model" in (folder / "MLmodel").read_text(encoding="utf-8")
    assert "torch==" in (folder / "requirements.txt").read_text(encoding="utf-8")
    assert not list(folder.parent.glob(".writing-*"))


def test_a_folder_that_is_there_is_kept(folder: Path) -> None:
    before = (folder / "MLmodel").stat().st_mtime_ns
    save_image_model(folder / "missing.safetensors", folder)
    assert (folder / "MLmodel").stat().st_mtime_ns == before


def test_mlflow_loads_it_and_it_enlarges_files_of_images(folder: Path) -> None:
    model = mlflow.pyfunc.load_model(str(folder))
    assert [column.name for column in model.metadata.get_input_schema().inputs] == [COLUMN]
    image = photo()
    table = pd.DataFrame({COLUMN: [file_of(image), file_of(photo("L"))]})
    answer = model.predict(table)
    large, grey = (Image.open(io.BytesIO(entry)) for entry in answer[COLUMN])
    assert (large.format, large.mode, large.size) == ("PNG", "RGB", (42, 30))
    assert (np.asarray(large) == np.asarray(upscale(image, 3, network=NETWORK))).all()
    assert (grey.mode, grey.size) == ("L", (42, 30))
    assert model.predict(model.input_example)[COLUMN][0].startswith(b"\x89PNG")
    # Arrays in this process: the network itself.
    assert (upscale(np.asarray(image), 3, network=model.get_raw_model()) == np.asarray(large)).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "P", "CMYK", "1"])
def test_every_kind_of_image_is_answered(mode: str) -> None:
    image = photo(mode)
    text = base64.b64encode(file_of(image, "TIFF" if mode == "CMYK" else "PNG")).decode()
    (answer,) = ImageModel(NETWORK).predict(pd.DataFrame({COLUMN: [text]}))[COLUMN]
    large = Image.open(io.BytesIO(answer))
    assert large.size == (42, 30)
    assert large.mode == {"P": "RGB", "CMYK": "RGB", "1": "RGB"}.get(mode, mode)


def test_a_photo_lies_as_its_orientation_says() -> None:
    image = photo()
    exif = image.getexif()
    exif[0x0112] = 6  # turned by a quarter
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    (answer,) = ImageModel(NETWORK).predict(pd.DataFrame({COLUMN: [buffer.getvalue()]}))[COLUMN]
    assert Image.open(io.BytesIO(answer)).size == (30, 42)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (b"text", "image 0: not an image file"),
        (file_of(photo())[:60], "image 0: not an image file"),
        ("nothing", "image 0: "),
        (3, "image 0: must be bytes of an image file, but got int"),
        (b"", "image 0: not an image file"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_the_callers(entry: object, words: str) -> None:
    with pytest.raises(MlflowException) as caught:
        ImageModel(NETWORK).predict(pd.DataFrame({COLUMN: [entry]}))
    assert caught.value.get_http_status_code() == 400
    assert words in str(caught.value)


def test_another_column_and_too_large_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MlflowException, match="must be a table with the column image"):
        ImageModel(NETWORK).predict(pd.DataFrame({"picture": [b""]}))
    monkeypatch.setattr(image_model, "MOST_PIXELS", 100)
    with pytest.raises(MlflowException, match="may have 100 pixels, but has 14x10"):
        ImageModel(NETWORK).predict(pd.DataFrame({COLUMN: [file_of(photo())]}))
