"""Variables, threads, bf16, data sets and disks: what is right passes, and what is wrong is named."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from srcnn.errors import ConfigError, DataError, SearchError
from srcnn.imaging.image_files import write_image
from srcnn.tuning.doctor import environment_checks as checks

from checkout import ROOT


def test_the_list_of_variables_is_that_of_the_code() -> None:
    files = [*(ROOT / "srcnn").rglob("*.py"), *(ROOT / "experiments").rglob("*.py"), *(ROOT / "examples").rglob("*")]
    read = {
        name for file in files if file.is_file() for name in re.findall(r"\bSRCNN_[A-Z_]+\b", file.read_text("utf-8"))
    }
    assert read == set(checks._OURS)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SRCNN_DATTA", "x", r"SRCNN_DATTA: must be one of .*; did you mean SRCNN_DATA\?"),
        ("SRCNN_DATA", "no/such", "SRCNN_DATA: must be a folder, but there is none at no/such"),
        ("OMP_NUM_THREADS", "two", "OMP_NUM_THREADS: must be a whole number of at least 1, but is 'two'"),
        ("MKL_NUM_THREADS", "0", "MKL_NUM_THREADS: .* is '0'"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=words):
        checks.variables()


def test_right_variables_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRCNN_DATA", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    seen = checks.variables()
    assert f"SRCNN_DATA={tmp_path}" in seen.text and "MLFLOW_TRACKING_URI is not read" in seen.text
    assert seen.figures["OMP_NUM_THREADS"] == "2,1"


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(checks, "_SECONDS", 0.05)
    try:
        torch.set_num_threads(1)
        seen = checks.threads()
        assert seen.figures["threads"] == 1 and seen.figures["rates"]["1"] > 0
        monkeypatch.setattr(checks, "_cores", lambda: 0)
        with pytest.raises(ConfigError, match="must use at most 0 threads, one for each usable core, but uses 1"):
            checks.threads()
    finally:
        torch.set_num_threads(before)


def test_bf16() -> None:
    seen = checks.bf16_on_cpu()
    assert 0 < seen.figures["error"] < 0.01
    assert ("not in hardware" in seen.text) != seen.figures["hardware"]


def test_data_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRCNN_DATA", str(tmp_path))
    seen = checks.data_sets()
    assert seen.figures["whole"] == ["sample/train", "sample/test"]
    assert "Set5" in seen.figures["absent"] and str(tmp_path) in seen.text
    write_image(tmp_path / "Set5" / "baby.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match="Set5: must have 5 images, but has 1"):
        checks.data_sets()


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRCNN_CACHE", str(tmp_path / "cache" / "new"))
    assert set(checks.disk(str(tmp_path / "a" / "b")).figures) == {"searches", "cache", "temporary files"}
    assert not (tmp_path / "a").exists()
    monkeypatch.setattr(checks, "_LEAST_FREE", 2**70)
    with pytest.raises(SearchError, match=r"searches: 1 GiB must be free in .*, but there are [\d.]+ GiB"):
        checks.disk(str(tmp_path))
