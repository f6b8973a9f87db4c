"""The images of a table: what is held out is not trained on."""

from __future__ import annotations

from pathlib import Path

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet, without
from srcnn.tuning.paper.table import load_table
from srcnn.tuning.paper.table_images import table_images

from small_table import write


def test_what_is_held_out_is_not_trained_on(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, validation=3))
    images = table_images(table, table.budgets["smoke"])
    training = images.training["sample/train"].images
    assert len(images.validation) == 3
    assert len(training) == 11
    assert not {name for name, _ in images.validation.images} & {name for name, _ in training.images}
    renamed = ImageSet("renamed", tuple((f"other/{name}", image) for name, image in images.validation.images))
    assert len(without(load("sample/train"), renamed)) == 11  # pixels count, not names
