"""A network as an MLflow model: an image in, the enlarged image out, in files such as PNG and JPEG.

The model has one input and one output column, ``image``, of type binary: the bytes of an image file in, those of a PNG file out.
In JSON, as ``mlflow models serve`` reads and writes it, the bytes are in base64::

    {"dataframe_split": {"columns": ["image"], "data": [["iVBORw0KGgo..."]]}}

For arrays, take the network out: ``srcnn.upscale(array, network=model.get_raw_model())``.

The folder of a model has a weights file and no pickle. `_load_pyfunc` reads it, so the environment needs this package, besides
what the model's ``requirements.txt`` lists. Images are decoded with a limit of `MOST_PIXELS`.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import shutil
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from PIL import Image, ImageOps

from srcnn.errors import SRCNNError
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network
from srcnn.upscaling.enlarge import upscale

__all__ = ["COLUMN", "MOST_PIXELS", "ImageModel", "save_image_model"]

COLUMN = "image"  #: name of the only column of input and output
MOST_PIXELS = (
    100_000_000  #: largest number of pixels of an input image; the size in the file is checked before decoding
)
_LIBRARIES = ("mlflow", "numpy", "pillow", "pydantic", "safetensors", "torch")
_MODES = ("L", "LA", "RGB", "RGBA", "I;16")


class ImageModel:
    """What MLflow loads: ``predict`` on a table with the column ``image``.

    Args:
        network: the network.
    """

    def __init__(self, network: SRCNN) -> None:
        self.network = network

    def get_raw_model(self) -> SRCNN:
        """Return the network, for `srcnn.upscale` on arrays."""
        return self.network

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Enlarge images.

        Args:
            model_input: table (a pandas DataFrame) with the column ``image``: bytes of image files, or their base64.
            params: not used; MLflow passes it.

        Returns:
            A table with the column ``image``: bytes of PNG files, each enlarged by the scale of the network.

        Raises:
            MlflowException: an entry is no image, or too large a one; a server answers with status 400.
        """
        if COLUMN not in getattr(model_input, "columns", ()):
            raise _mistake(f"input: must be a table with the column {COLUMN}")
        answers = [self._enlarged(entry, row) for row, entry in enumerate(model_input[COLUMN])]
        return type(model_input)({COLUMN: answers})

    def _enlarged(self, entry: Any, row: int) -> bytes:
        image = _decoded(entry, row)
        try:
            large = upscale(image, self.network.config.scale, network=self.network)
        except SRCNNError as error:
            raise _mistake(f"{COLUMN} {row}: {error}") from None
        file = io.BytesIO()
        large.save(file, "PNG")
        return file.getvalue()


def _mistake(message: str) -> MlflowException:
    error: MlflowException = MlflowException.invalid_parameter_value(message)
    return error


def _decoded(entry: Any, row: int) -> Image.Image:
    """Return an image with an orientation and a mode that `upscale` accepts."""
    if isinstance(entry, str):
        try:
            entry = base64.b64decode(entry, validate=False)
        except (binascii.Error, ValueError):
            raise _mistake(f"{COLUMN} {row}: must be the base64 of an image file") from None
    if not isinstance(entry, bytes | bytearray):
        raise _mistake(f"{COLUMN} {row}: must be bytes of an image file, but got {type(entry).__name__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # there is a limit of our own
            image: Image.Image = Image.open(io.BytesIO(entry))
            if image.width * image.height > MOST_PIXELS:
                raise _mistake(f"{COLUMN} {row}: may have {MOST_PIXELS} pixels, but has {image.width}x{image.height}")
            image = ImageOps.exif_transpose(image)
    except MlflowException:
        raise
    except Exception as error:  # Pillow's decoders raise many types
        raise _mistake(f"{COLUMN} {row}: not an image file that Pillow can decode ({error})") from None
    if image.mode in _MODES:
        return image
    return image.convert("RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB")


def _load_pyfunc(path: str) -> ImageModel:
    """Read a model; MLflow calls this with the weights file or the folder that contains it."""
    there = Path(path)
    return ImageModel(load_network(there / "network.safetensors" if there.is_dir() else there))


def save_image_model(weights: Path, folder: Path, run_id: str | None = None, artifact_path: str | None = None) -> None:
    """Write a network as an MLflow model with a signature and an input example, unless it is already there.

    Args:
        weights: weights file of the network.
        folder: folder of the model, complete or not there at all.
        run_id: run to which the model will be logged.
        artifact_path: folder of the model in the artifacts of this run.

    Raises:
        OSError: the folder cannot be written.
        MlflowException: MLflow cannot write the model.
    """
    if folder.exists():
        return
    import pandas as pd  # comes with MLflow

    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".writing-{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    column = Schema([ColSpec(DataType.binary, COLUMN)])
    mlflow.pyfunc.save_model(
        str(unfinished),
        loader_module=__name__,
        data_path=str(weights),
        mlflow_model=Model(run_id=run_id, artifact_path=artifact_path),
        signature=ModelSignature(column, column),
        input_example=pd.DataFrame({COLUMN: [_example()]}),
        pip_requirements=[f"{name}=={version(name)}" for name in _LIBRARIES],
    )
    os.replace(unfinished, folder)


def _example() -> bytes:
    """Return a PNG file of 24x16 pixels with a colour gradient."""
    rows, columns = np.mgrid[0:16, 0:24]
    pixels = np.stack([columns * 10, rows * 15, (rows + columns) * 6], axis=2).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
