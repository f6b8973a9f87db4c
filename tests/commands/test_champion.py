"""champion.py: a card from a training's folder, a weights file and a real registered winner; mistakes are one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from srcnn.champions import champion_card, load_champion
from srcnn.commands.champion import main
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.imaging.image_files import write_image
from srcnn.model.weights_file import save_network
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.tracker import Tracker

from small_network import small_network

CONFIG = TrainConfig(kernels=(5, 3, 3), filters=(8, 6), scale=3, pixels=2e6, learning_rate=1e-4, seed=7)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Corners of photographs to train on and to test with, a folder of a training, and no store."""
    for kind, scale in (("train", 100), ("test", 60)):
        for name, image in load(f"sample/{kind}").images[:2]:
            write_image(tmp_path / kind / f"{name}.png", image[:scale, :scale])
    run = tmp_path / "run"
    save_network(run / "network.safetensors", small_network(scale=3).state_dict(), CONFIG)
    leak = {
        "image": "a",
        "shows": "b",
        "of": "test",
        "kind": "test",
        "similarity": 1.0,
        "scale": 1.0,
        "mirrored": False,
    }
    job = {"train": "train", "test": "test", "validation": None, "digest": "d", "allow_overlap": False}
    made = {"commit": "c0ffee", "versions": {"torch": "2"}}
    (run / "run.json").write_text(json.dumps(job | made), encoding="utf-8")
    (run / "result.json").write_text(json.dumps({"left_out": [leak], "kept": []}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SRCNN_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_a_training(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--out", "out", "--test", "test", "--allow-artefacts"]) == 0
    card = champion_card(3, folder / "out")
    assert card.configuration == CONFIG
    assert (card.training_pixels, card.origin.seeds, card.origin.training.name) == (2e6, (7,), "train")
    assert (card.origin.commit, card.origin.versions) == ("c0ffee", {"torch": "2"})
    assert card.origin.left_out == ("a shows b of test at scale 1.00",)
    assert card.origin.commands == (
        "python experiments/train.py --train train --test test --kernels 5-3-3 --filters 8-6 --learning-rate 0.0001 "
        "--pixels 2M --seed 7",
        "python experiments/champion.py run --scale 3 --out out --allow-artefacts",
    )
    assert load_champion(3, folder / "out").config == small_network(scale=3).config
    assert f"test: {card.score('test').psnr:.4f} dB" in capsys.readouterr().out


def test_training_images_that_show_a_test_image_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (folder / "test").iterdir():
        (folder / "train" / file.name).write_bytes(file.read_bytes())
    assert main(["run", "--out", "out", "--test", "test", "--allow-artefacts"]) == 0
    assert len(champion_card(3, folder / "out").origin.overlap) == 2
    assert "trained on a test image: " in capsys.readouterr().out


def test_a_file_says_no_more_than_its_network(folder: Path) -> None:
    network = small_network(scale=2)
    save_network(folder / "a.safetensors", network.state_dict(), network.config)
    assert main(["a.safetensors", "--out", "out", "--test", "test", "--allow-artefacts", "--scale", "2"]) == 0
    card = champion_card(2, folder / "out")
    assert (card.training_pixels, card.origin.training.name, card.origin.seeds) == (None, "not known", ())


def test_the_registered_winner_of_a_search(folder: Path, empty: Path) -> None:
    (folder / "mlruns").mkdir()
    shutil.copy(empty, folder / "mlruns")
    uri = f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}"
    tracker = Tracker(uri, folder / "mlruns" / "artifacts")
    tags = {names.TAG_TRAIN_SET: "train[train]", names.TAG_TRAIN_DIGEST: "d", names.TAG_VALIDATION: "a, b"}
    tags |= {names.TAG_COMMIT: "c", names.version_tag("torch"): "2", names.TAG_JUDGING: "d, e"}
    params = {"trials": 12, "train": "train", "budget": 2e6, "test": ("test",), "seed": 123, "confirm": True}
    tracker.open_search("deep", tags, params)
    for seed, loss in ((7, "l1"), (8, "l1"), (9, "mse")):  # the last one is another configuration with the same name
        trial = f"trial{seed}"
        whole = {"pixels": 2e6, "seed": seed, "scale": 3, "loss": loss}
        tracker.start_trial(
            trial, trial, whole, {**tags, names.TAG_CONFIGURATION: "x3"}, {"name": "n", "digest": "d", "images": "1"}
        )
        tracker.log_file(trial, folder / "run" / "network.safetensors", "checkpoint")
        tracker.end_trial(trial, "FINISHED", {"outcome": "finished"})
    assert main(["deep", "--out", "out", "--test", "test", "--allow-artefacts"]) == 2  # nothing is registered yet
    client, run_id = MlflowClient(uri), tracker.run_of("trial7")
    client.create_registered_model("srcnn-x3")
    source = f"{client.get_run(run_id).info.artifact_uri}/checkpoint"
    version_tags = {names.MODEL_SEARCH: "deep", names.MODEL_JUDGING_GAIN: "+1.00 [0.90, 1.10]"}
    client.create_model_version("srcnn-x3", source, run_id, tags=version_tags)
    assert main(["deep", "--out", "out", "--test", "test", "--allow-artefacts"]) == 0
    origin = champion_card(3, folder / "out").origin
    assert (origin.search, origin.training.name, origin.validation) == ("deep", "train[train]", ("a", "b"))
    assert origin.judging == ("d", "e")
    assert (origin.seeds, origin.gain, origin.commit, origin.versions) == (
        (7, 8),
        "+1.00 [0.90, 1.10]",
        "c",
        {"torch": "2"},
    )
    assert origin.commands[0] == "python experiments/search.py --trials 12 --train train --budget 2M --test test"
    assert main([run_id, "--out", "other", "--test", "test", "--allow-artefacts", "--scale", "3"]) == 0
    assert main([run_id, "--out", "other", "--test", "test", "--allow-artefacts", "--scale", "2"]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["run", "--out", "out", "--test", "test", "--allow-artefacts", "--scale", "2"],
            "--scale: must be 3 for run, but got 2",
        ),
        (
            ["train", "--out", "out", "--test", "test", "--allow-artefacts"],
            "train/run.json: not a finished training of experiments/train.py",
        ),
        (["no.safetensors", "--out", "out", "--test", "test", "--allow-artefacts"], "no.safetensors: no such file"),
        (["deep", "--out", "out", "--test", "test", "--allow-artefacts"], "there is no store at"),
        (["run", "--out", "run/run.json", "--test", "test", "--allow-artefacts"], "--out: must be a folder"),
        (["run", "--out", "out", "--test", "tset"], "data set 'tset' does not exist"),
        (["run", "--out", "out", "--threads", "0"], "--threads: must be at least 1"),
        (["run", "--test", "test", "--allow-artefacts"], "--out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    try:
        code: object = main(arguments)
    except SystemExit as leaving:
        code = leaving.code
    error = capsys.readouterr().err
    assert code == 2
    assert words in error
    assert error.count("\n") == 1
    assert not (folder / "out").exists()
