"""Networks by name: each kind, and one line for each mistake."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from srcnn.champions import load_champion
from srcnn.commands.models import load_model, official_names
from srcnn.errors import CheckpointError, ConfigError, SRCNNError
from srcnn.model.official_weights import official_file
from srcnn.model.weights_file import save_network

from small_network import small_network

REAL = os.environ.get("SRCNN_DATA")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights file at x3 in the current folder, which has no store."""
    network = small_network(scale=3)
    save_network(tmp_path / "network.safetensors", network.state_dict(), network.config)
    (tmp_path / "text.safetensors").write_text("text")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "network.safetensors"


def test_words_and_files(file: Path) -> None:
    assert load_model("bicubic", 2) is None
    champion = load_model("champion", 3)
    assert champion is not None
    assert champion.config == load_champion(3).config
    for name in ("network.safetensors", str(file)):
        for scale in (None, 3):
            found = load_model(name, scale)
            assert found is not None
            assert found.config.filters == (8, 6)


@pytest.mark.skipif(
    not REAL or official_file("9-5-5(ImageNet)", 3, Path(REAL)) is None, reason="$SRCNN_DATA has no authors' weights"
)
def test_the_authors_networks() -> None:
    for name, kernels in (("official:9-5-5", (9, 5, 5)), ("official:9-1-5(ImageNet)", (9, 1, 5))):
        found = load_model(name, 3, data_root=REAL)
        assert found is not None
        assert found.config.kernels == kernels
    assert official_names() == ["official:9-1-5", "official:9-3-5", "official:9-5-5"]


@pytest.mark.parametrize(
    ("name", "scale", "words"),
    [
        ("champion", None, "--scale: must be given as 2, 3 or 4, because champion does not contain it"),
        ("bicubic", None, "--scale: must be given"),
        ("registry", None, "--scale: must be given"),
        ("champion", 8, "--scale: must be 2, 3 or 4, but got 8"),
        ("network.safetensors", 2, "--scale: must be 3 for network.safetensors, but got 2"),
        (
            "champoin",
            3,
            "--model: network 'champoin' does not exist; did you mean 'champion'? there are: champion, ",
        ),
        ("nothing", None, "or give a .safetensors or .mat file or the id of an MLflow run"),
        ("no.safetensors", 3, "no.safetensors: no such file"),
        ("no/network", 3, "no/network: no such file"),
        ("no.mat", 3, "no.mat: no such file"),
        ("text.safetensors", 3, "text.safetensors: damaged or not a safetensors file"),
        (
            "official:9-5-6",
            3,
            "network at x3 'official:9-5-6' does not exist; did you mean 'official:9-5-5(ImageNet)'?",
        ),
        ("official:9-3-5", 2, "network at x2 'official:9-3-5' does not exist"),
        ("official:9-5-5", 3, "python experiments/data.py fetch weights"),
        ("registry", 3, "there is no store at sqlite:///mlruns/mlflow.db"),
        ("models:/srcnn-x3@champion", None, "there is no store at sqlite:///mlruns/mlflow.db"),
        ("models:/srcnn-x3", None, "must be models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("0" * 32, None, "there is no store at sqlite:///mlruns/mlflow.db"),
    ],
)
def test_mistakes(file: Path, name: str, scale: int | None, words: str) -> None:
    with pytest.raises(SRCNNError) as caught:
        load_model(name, scale, data_root=file.parent / "data")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (file.parent / "mlruns").exists()


def test_a_flag_of_another_name_is_the_one_in_the_message() -> None:
    with pytest.raises(ConfigError, match=r"^--weights: network 'nothing' does not exist"):
        load_model("nothing", option="--weights")


def test_without_mlflow_one_line_says_what_to_install(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("srcnn.tuning.tracking", "mlflow"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError) as caught:
        load_model("registry", 3)
    assert "registry: needs the platform; install it with: pip install 'srcnn[search]'" in str(caught.value)


def test_a_run_with_the_name_of_a_file(file: Path) -> None:
    file.rename(file.parent / ("0" * 32))
    found = load_model("0" * 32)
    assert found is not None
    with pytest.raises(CheckpointError, match="no such file"):
        load_model("folder/" + "1" * 32)
