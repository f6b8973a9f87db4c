"""Files of torch.export: read without this package's classes, they give what the protocol gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from srcnn.errors import CheckpointError
from srcnn.export.plain_network import expected
from srcnn.export.torch_file import EXTRA, save_exported

from small_network import small_network


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
def test_a_file_is_read_and_computes_the_protocol(tmp_path: Path, upsampling: str) -> None:
    network = small_network(upsampling=upsampling, scale=3)
    file = tmp_path / "a.pt2"
    assert save_exported(network, file, {"model": "champion"}) < 1e-5
    extra = {EXTRA: ""}
    module = torch.export.load(str(file), extra_files=extra).module()
    about = json.loads(extra[EXTRA])
    assert (about["scale"], about["model"], about["config"]["upsampling"]) == (3, "champion", upsampling)
    for height, width in ((2, 2), (33, 20)):
        small = np.random.default_rng(height).random((height, width, 1), dtype=np.float32)
        with torch.inference_mode():
            large = module(torch.from_numpy(small.transpose(2, 0, 1)[None].copy()))[0].numpy()
        assert np.abs(large - expected(network, small).transpose(2, 0, 1)).max() < 1e-5


def test_nothing_is_written_where_the_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_exported(small_network(), tmp_path / "file" / "a.pt2")
