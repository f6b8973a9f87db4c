"""The commands as a person types them: what they print and write, and mistakes as one line with exit code 2."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from srcnn.config.architecture import ModelConfig
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.imaging.image_files import write_image
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network, read_header, save_network
from srcnn.training.checkpoint import load_state

from checkout import EXPERIMENTS
from past_store import PastStore

REAL = os.environ.get("SRCNN_DATA")
#: A network and a run that take a second.
TINY = ["--kernels", "3-1-3", "--filters", "8-8", "--patch-size", "12", "--batch-size", "4", "--epoch-pixels", "2560"]

Command = Callable[[list[str]], int]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Command]]:
    """``command("train")`` is the ``main`` of experiments/train.py; the module's own names hang on it."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    monkeypatch.setenv("COLUMNS", "200")
    threads = torch.get_num_threads()

    def main(name: str) -> Command:
        found: Command = importlib.import_module(name).main
        return found

    yield main
    torch.set_num_threads(threads)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with ``train`` and ``test``: corners of the bundled photographs."""
    for kind, count in (("train", 4), ("test", 2)):
        images = [(name, image) for name, image in load(f"sample/{kind}").images if image.ndim == 3]
        for name, image in images[-count:]:
            write_image(tmp_path / kind / f"{name}.png", image[100:160, 100:160])
    return tmp_path


def checkpoint(path: Path, **fields: Any) -> Path:
    network = SRCNN(ModelConfig(**{"kernels": (3, 1), "filters": (2,), "scale": 3, **fields}))
    network.initialize("he", 0.1, torch.Generator().manual_seed(0))
    save_network(path, network.state_dict(), network.config)
    return path


def refusal(main: Command, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a mistake; argparse leaves by SystemExit, everything else by the exit code."""
    try:
        code: Any = main(arguments)
    except SystemExit as leaving:
        code = leaving.code
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert error.endswith("\n")
    return error


# evaluate


def test_bicubic_on_the_bundled_sample(command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "scores.json"
    assert (
        command("evaluate")(["--weights", "bicubic", "--data", "sample/test", "--scale", "3", "--json", str(out)]) == 0
    )
    written = json.loads(out.read_text(encoding="utf-8"))
    assert [image["name"] for image in written["images"]] == ["astronaut", "camera", "chelsea", "coffee"]
    for figure in ("psnr", "ssim"):
        values = [image[figure] for image in written["images"]]
        assert written["mean"][figure] == pytest.approx(sum(values) / 4)
        assert all(20 < v < 45 for v in values) if figure == "psnr" else all(0.5 < v < 1 for v in values)
    assert (written["scale"], written["weights"], written["data"], written["skipped"]) == (
        3,
        "bicubic",
        "sample/test",
        [],
    )
    assert written["protocol"] == "srcnn"
    printed = capsys.readouterr().out
    for image in written["images"]:
        assert re.search(rf"{image['name']}\W+{image['psnr']:.2f}\W+{image['ssim']:.4f}", printed)


@pytest.mark.skipif(not REAL or not Path(REAL, "Set5").is_dir(), reason="$SRCNN_DATA holds no Set5")
def test_bicubic_on_set5_is_the_papers(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("evaluate")(["--weights", "bicubic", "--data", "Set5", "--scale", "3"]) == 0
    assert re.search(r"mean\W+30\.39\W+0\.8682", capsys.readouterr().out)  # TPAMI 2016, tables 2 and 3


def test_a_folder_of_ones_own_as_a_program_of_its_own(photos: Path) -> None:
    out = photos / "scores.json"
    program = [sys.executable, str(EXPERIMENTS / "evaluate.py")]
    arguments = ["--weights", "bicubic", "--data", str(photos / "test"), "--scale", "2", "--json", str(out)]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False, cwd=photos)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(out.read_text(encoding="utf-8"))["images"]) == 2
    arguments = ["--weights", "no.mat", "--data", "test", "--scale", "3"]
    failed = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False, cwd=photos)
    assert (failed.returncode, failed.stderr, failed.stdout) == (2, "error: no.mat: no such file\n", "")


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
def test_a_checkpoint_brings_its_scale(command: Any, photos: Path, upsampling: str) -> None:
    weights = checkpoint(photos / "network.safetensors", upsampling=upsampling, scale=4)
    out = photos / "scores.json"
    assert command("evaluate")(["--weights", str(weights), "--data", str(photos / "test"), "--json", str(out)]) == 0
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["scale"] == 4
    assert len(written["images"]) == 2


def test_equal_images_have_no_number_in_json(command: Any, tmp_path: Path) -> None:
    """JSON has no infinity: what `json.dumps` would write, other readers refuse."""
    write_image(tmp_path / "flat" / "flat.png", np.full((24, 24), 90, dtype=np.uint8))
    out = tmp_path / "scores.json"
    arguments = ["--weights", "bicubic", "--data", str(tmp_path / "flat"), "--scale", "2", "--json", str(out)]
    assert command("evaluate")(arguments) == 0

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    written = json.loads(out.read_text(encoding="utf-8"), parse_constant=refuse)
    assert written["images"][0]["psnr"] is None


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--weights", "bicubic", "--data", "test", "--scale", "5"], ["--scale", "5"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "x"], ["--scale", "'x'"]),
        (["--weights", "bicubic", "--data", "test"], ["--scale", "bicubic"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "3", "--treads", "1"], ["--treads", "--threads"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "3", "--scal=3"], ["--scal:", "--scale"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "3", "--threads", "0"], ["--threads", "0"]),
        (["--weights", "bicubic", "--data", "set5", "--scale", "3"], ["'set5'", "Set5"]),
        (["--weights", "bicubic", "--data", "nowhere", "--scale", "3"], ["'nowhere'"]),
        (["--weights", "bicubic", "--data", "empty", "--scale", "3"], ["empty", "no image"]),
        (["--weights", "bicubic", "--data", "Set5", "--scale", "3", "--data-root", "no"], ["Set5", "fetch"]),
        (["--weights", "no.safetensors", "--data", "test"], ["no.safetensors: no such file"]),
        (["--weights", "no.mat", "--data", "test", "--scale", "3"], ["no.mat: no such file"]),
        (["--weights", "text.safetensors", "--data", "test"], ["text.safetensors"]),
        (["--weights", "network.safetensors", "--data", "test", "--scale", "2"], ["--scale", "3", "2"]),
        (["--weights", "network.safetensors", "--data", "test", "--device", "gpu"], ["device", "'gpu'"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "3", "--json", "test"], ["--json", "test"]),
        (["--weights", "bicubic", "--data", "test", "--scale", "3", "--json", "file/a.json"], ["--json", "file"]),
        (["--weights", "bicubic", "--scale", "3"], ["--data"]),
    ],
    ids=" ".join,
)
def test_mistakes_of_evaluate(
    command: Any,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    parts: list[str],
) -> None:
    monkeypatch.chdir(photos)
    checkpoint(photos / "network.safetensors")
    (photos / "text.safetensors").write_text("text")
    (photos / "file").write_text("text")
    (photos / "empty").mkdir()
    error = refusal(command("evaluate"), arguments, capsys)
    assert all(part in error for part in parts), error


def test_a_corrupt_image_is_refused_or_skipped(command: Any, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = photos / "test" / "bad.png"
    whole = next(p for p in (photos / "test").iterdir()).read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    out = photos / "scores.json"
    arguments = ["--weights", "bicubic", "--data", str(photos / "test"), "--scale", "3", "--json", str(out)]
    error = refusal(command("evaluate"), arguments, capsys)
    assert str(bad) in error
    assert "--skip-bad" in error
    assert not out.exists()
    assert command("evaluate")([*arguments, "--skip-bad"]) == 0
    assert "skipped 1 unreadable: bad.png" in capsys.readouterr().out
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["skipped"] == ["bad.png"]
    assert len(written["images"]) == 2


# train


def test_a_tiny_run_writes_a_network_and_its_figures(
    command: Any, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = photos / "run"
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test"), "--out", str(out)]
    assert command("train")([*TINY, *sets, "--epochs", "2", "--scale", "2"]) == 0
    assert {p.name for p in out.iterdir()} == {"network.safetensors", "result.json", "run.json", "state.safetensors"}
    network = load_network(out / "network.safetensors")
    assert (network.config.kernels, network.config.filters, network.config.scale) == ((3, 1, 3), (8, 8), 2)
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert {"test", "psnr", "ssim", "bicubic", "bicubic_ssim", "seconds"} <= result.keys()
    printed = capsys.readouterr().out
    assert "epoch 1/2: loss" in printed
    assert "epoch 2/2: loss" in printed
    assert "3 images of" in printed  # a tenth, but at least one, of four is held out
    assert "1 held out for validation" in printed
    assert f"PSNR {result['psnr']:.2f} dB, SSIM {result['ssim']:.4f}" in printed
    # The figures are those that evaluate gives for the file.
    scores = photos / "scores.json"
    weights = str(out / "network.safetensors")
    assert command("evaluate")(["--weights", weights, "--data", str(photos / "test"), "--json", str(scores)]) == 0
    mean = json.loads(scores.read_text(encoding="utf-8"))["mean"]
    assert mean["psnr"] == pytest.approx(result["psnr"], abs=1e-6)
    assert mean["ssim"] == pytest.approx(result["ssim"], abs=1e-6)


def test_an_interrupted_run_goes_on_to_the_same_network(
    command: Any, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C after an epoch, then --resume: the same weights, bit for bit, as a run that was left alone."""
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test")]
    arguments = [*TINY, *sets, "--epochs", "100", "--epoch-pixels", "10000"]
    program = [sys.executable, "-u", str(EXPERIMENTS / "train.py"), *arguments, "--out", str(photos / "cut")]
    # A shell that runs the suite in the background has it ignore Ctrl-C, and so would the program.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if line.startswith("epoch 2/100"):
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        error = process.stderr.read()
    assert process.returncode == 130
    assert error == "interrupted; --resume FOLDER continues after the last epoch\n"
    stopped = load_state(photos / "cut" / "state.safetensors").numbers["epoch"]
    assert 2 <= stopped < 100
    assert not (photos / "cut" / "result.json").exists()

    assert command("train")([*sets, "--resume", str(photos / "cut")]) == 0
    printed = capsys.readouterr().out
    assert f"epoch {stopped}/100" not in printed
    assert f"epoch {stopped + 1}/100" in printed
    assert (photos / "cut" / "result.json").exists()
    assert command("train")([*arguments, "--out", str(photos / "whole")]) == 0
    for name in ("network.safetensors", "state.safetensors"):
        cut, whole = load_file(photos / "cut" / name), load_file(photos / "whole" / name)
        assert cut.keys() == whole.keys()
        assert all(torch.equal(cut[key], whole[key]) for key in cut)


def test_a_complete_run_only_reports(command: Any, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test")]
    out = photos / "run"
    assert command("train")([*TINY, *sets, "--epochs", "1", "--out", str(out)]) == 0
    capsys.readouterr()
    assert command("train")([*sets, "--resume", str(out)]) == 0
    assert "the run was already complete" in capsys.readouterr().out


def test_resuming_with_another_configuration_names_the_difference(
    command: Any, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test")]
    assert command("train")([*TINY, *sets, "--epochs", "1", "--out", str(photos / "run")]) == 0
    capsys.readouterr()
    error = refusal(command("train"), [*TINY, *sets, "--epochs", "5", "--resume", str(photos / "run")], capsys)
    assert "different in epochs" in error


def test_the_article_preset_is_measured_by_its_own_protocol(
    command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    y, x = np.mgrid[:270, :300] / 30
    for i in range(2):
        wave = 120 + 80 * np.sin(x + i) * np.cos(y)
        write_image(tmp_path / "photos" / f"{i}.png", np.repeat(wave[:, :, None], 3, axis=2).astype(np.uint8))
    sets = ["--train", str(tmp_path / "photos"), "--test", str(tmp_path / "photos"), "--out", str(tmp_path / "run")]
    assert (
        command("train")(["--preset", "article", "--nEpochs", "1", "--batchSize", "1", "--allow-overlap", *sets]) == 0
    )
    printed = capsys.readouterr().out
    assert printed.count("Average PSNR: ") == 2  # after the epoch, and at the end
    assert read_header(tmp_path / "run" / "network.safetensors")["config"]["protocol"] == "article"
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert {"psnr", "bicubic"} <= result.keys()
    assert "ssim" not in result


def parsed(arguments: list[str]) -> TrainConfig:
    train = importlib.import_module("train")
    config: TrainConfig = train._config(train._parser().parse_args(arguments))
    return config


@pytest.mark.usefixtures("command")
class TestFlags:
    """Flags to configuration, without a run."""

    @pytest.fixture(autouse=True)
    def _path(self, command: Any) -> None:
        command("train")

    def test_the_articles_command_line(self) -> None:
        line = "--preset article --batchSize 4 --testBatchSize 2 --nEpochs 7 --lr 0.005 --seed 9 --upscale_factor 2 -m srcnn"
        config = parsed(line.split())
        assert (config.batch_size, config.test_batch_size, config.epochs, config.seed) == (4, 2, 7, 9)
        assert (config.learning_rate, config.scale, config.protocol) == (0.005, 2, "article")
        assert parsed(["-uf", "4"]).scale == 4
        assert parsed(["--model", "srcnn"]) == parsed([])

    def test_the_articles_spellings_mean_the_same_as_ours(self) -> None:
        ours = [
            "--batch-size",
            "4",
            "--test-batch-size",
            "2",
            "--epochs",
            "7",
            "--learning-rate",
            "0.005",
            "--scale",
            "2",
        ]
        article = ["--batchSize", "4", "--testBatchSize", "2", "--nEpochs", "7", "--lr", "0.005", "-uf", "2"]
        assert parsed(ours) == parsed(article)

    def test_the_article_preset_is_the_articles_defaults(self) -> None:
        config = parsed(["--preset", "article"])
        assert (config.batch_size, config.test_batch_size, config.epochs) == (8, 8, 20)
        assert (config.learning_rate, config.seed, config.scale) == (0.01, 123, 4)

    def test_every_field_has_a_flag(self) -> None:
        config = TrainConfig(
            kernels=(9, 3, 3, 5), filters=(64, 32, 16), scale=4, upsampling="pixel_shuffle", color="rgb", residual=False,
            padding="zeros", reduction="euclidean", initialization="gaussian", init_std=0.01, optimizer="sgd", momentum=0.5,
            learning_rate=0.5, layer_rates=(1.0, 0.1), schedule="step", warmup=0.1, step_at=(0.25,), step_factor=0.5, clip=0.1,
            batch_size=3, test_batch_size=5, patch_size=64, stride=14, augment=False, pixels=1e6, epoch_pixels=1e5, seed=7,
            precision="fp32",
        )  # fmt: skip
        arguments = []
        for name, value in config.model_dump().items():
            flag = "--" + name.replace("_", "-")
            if isinstance(value, bool):
                arguments.append(flag if value else flag.replace("--", "--no-", 1))
            elif isinstance(value, tuple):
                arguments += [flag, ("-" if name in ("kernels", "filters") else ",").join(map(str, value))]
            else:
                arguments += [flag, "none" if value is None else str(value)]
        assert parsed(arguments) == config

    def test_a_budget_on_the_command_line_replaces_the_presets(self) -> None:
        assert (parsed(["--preset", "article"]).epochs, parsed(["--preset", "article"]).pixels) == (20, None)
        config = parsed(["--preset", "article", "--pixels", "1e6"])
        assert (config.epochs, config.pixels) == (None, 1e6)

    def test_there_is_always_a_budget(self) -> None:
        assert parsed([]).epochs is not None
        assert parsed(["--preset", "paper"]).epochs is not None


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--scale", "5"], ["scale", "5"]),
        (["--kernels", "9-2-5"], ["kernels", "9-2-5"]),
        (["--lr", "0"], ["learning_rate", "0"]),
        (["--lr", "fast"], ["learning_rate", "fast"]),
        (["--epochs", "3", "--pixels", "1e6"], ["epochs", "pixels"]),
        (["--learningrate", "1"], ["--learningrate", "--learning-rate"]),
        (["--preset", "papers"], ["preset", "'papers'", "'paper'"]),
        (["--train", "no-such"], ["'no-such'"]),
        (["--test", "no-such"], ["'no-such'"]),
        (["--validation", "4"], ["4"]),
        (["--validation", "-1"], ["-1"]),
        (["--validation", "x"], ["--validation", "'x'"]),
        (["--threads", "0"], ["--threads", "0"]),
        (["--device", "gpu"], ["device", "'gpu'"]),
        (["--resume", "no-such"], ["no-such"]),
        (["--patch-size", "100"], ["patch_size", "100"]),
        (["--batch-size"], ["--batch-size"]),
        (["--out", "file"], ["file"]),
        (["-m", "edsr"], ["edsr"]),
        (["--preset", "article"], ["256x256"]),
    ],
    ids=" ".join,
)
def test_mistakes_of_train(
    command: Any,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    parts: list[str],
) -> None:
    monkeypatch.chdir(photos)
    (photos / "file").write_text("text")
    budget = [] if "--epochs" in arguments else ["--epochs", "1"]
    tiny = [] if "--preset" in arguments else TINY
    error = refusal(command("train"), [*tiny, "--train", "./train", "--test", "./test", *budget, *arguments], capsys)
    assert all(part in error for part in parts), error


# Leaks


@pytest.fixture
def leaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training folder of five photographs, one of which shows the test folder's only one at three quarters of its size."""
    monkeypatch.setenv("SRCNN_CACHE", str(tmp_path / "cache"))
    for name, image in load("sample/train").images[:4]:
        write_image(tmp_path / "train" / f"{name}.png", image[100:196, 100:196])
    picture = Image.fromarray(load("sample/test").images[0][1][60:200, 100:240])
    (tmp_path / "test").mkdir()
    picture.save(tmp_path / "test" / "face.png")
    picture.resize((105, 105)).save(tmp_path / "train" / "copy.png")
    return tmp_path


def test_train_leaves_a_leak_out_or_marks_its_figures(
    command: Any, leaky: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--train", str(leaky / "train"), "--test", str(leaky / "test"), "--validation", "1", "--epochs", "1"]
    flags += [*TINY, "--scale", "2"]
    assert command("train")([*flags, "--out", str(leaky / "clean")]) == 0
    printed = capsys.readouterr().out
    assert "3 images of" in printed  # five, of which one is left out and one held out
    assert "left out, since they show what is measured: copy shows face of" in printed
    assert "†" not in printed
    record = json.loads((leaky / "clean" / "result.json").read_text(encoding="utf-8"))
    assert [leak["image"] for leak in record["left_out"]] == ["copy"]
    assert record["kept"] == []
    assert command("train")([*flags, "--out", str(leaky / "kept"), "--allow-overlap"]) == 0
    printed = capsys.readouterr().out
    assert "4 images of" in printed
    assert re.search(r"test † x2: PSNR \d+\.\d\d dB", printed)
    assert "† measured on photographs that were trained on or chosen by: copy shows face of" in printed
    assert [leak["image"] for leak in json.loads((leaky / "kept" / "result.json").read_text())["kept"]] == ["copy"]
    assert command("train")(["--resume", str(leaky / "clean"), "--allow-overlap"]) == 2
    assert "--allow-overlap: must be False as in the run in" in capsys.readouterr().err


def test_overlap_lists_pairs_within_and_between_sets(
    command: Any, leaky: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, test = str(leaky / "train"), str(leaky / "test")
    assert command("data")(["overlap", train, test]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(rf"{train}: copy = {test}: face, similarity 0\.9\d\d, scale 1\.33", lines[0])
    assert lines[1] == "6 images, 15 pairs: 1 pair shows the same photograph"
    write_image(Path(train, "again.png"), np.asarray(Image.open(Path(train, "copy.png")))[:, ::-1])
    assert command("data")(["overlap", train]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        rf"{train}: again = {train}: copy, similarity (0\.99\d|1\.000), scale 1\.00, mirrored", lines[0]
    )
    assert command("data")(["overlap", "sample/train", "sample/test"]) == 0
    assert capsys.readouterr().out == "18 images, 153 pairs: no two show the same photograph\n"
    assert command("data")(["overlap", "T19"]) == 2
    assert "T19" in capsys.readouterr().err


# runs, and what a search says about past ones


@pytest.fixture
def past(photos: Path, monkeypatch: pytest.MonkeyPatch) -> PastStore:
    """A store with an ended search, beside photographs to search on."""
    monkeypatch.chdir(photos)
    store = PastStore(photos)
    store.open("earlier")
    store.trial("ab_00001", [0.1, 0.2])
    store.close()
    store.space()
    return store


def test_runs_explains_a_trial(command: Any, past: PastStore, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--tracking-uri", past.uri]
    assert command("runs")(["--why", "ab", *store]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Trial ab_00001 of earlier, x3 5-1-3 (8-4): no decision about it was recorded")
    for wrong, words in (
        (["--why", "ac_00001", *store], "trial 'ac_00001' does not exist; the nearest names are ab_00001"),
        (
            ["list", "--why", "ab", *store],
            "command: must be list, verify or repair, or --why TRIAL instead, but got both",
        ),
        (store, "but got neither"),
    ):
        assert words in refusal(command("runs"), wrong, capsys)


def test_a_new_search_says_which_past_ones_overlap(
    command: Any, past: PastStore, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--space", "space.yaml", "--train", "train", "--test", "test", "--validation", "1", "--judging", "1"]
    given += ["--budget", "20k", "--tracking-uri", past.uri, "--dry-run", "--name", "mine"]
    assert command("search")(given) == 0
    line = "past searches that overlap: earlier (1 trial); --learn-from all uses them"
    assert line in capsys.readouterr().out
    assert command("search")([*given, "--learn-from", "earlier"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"learns from\W+earlier \(1 trial\)", text)
    assert "past searches that overlap" not in text
    for wrong, words in (
        ("earlyer", "did you mean 'earlier'?"),
        ("mine", "the search itself"),
        ("all,earlier", "alone"),
    ):
        assert words in refusal(command("search"), [*given, "--learn-from", wrong], capsys)
    narrow = (past.folder / "space.yaml").read_text(encoding="utf-8").replace("[8, 16]", "[16, 32]")
    past.space(narrow)
    assert command("search")([*given, "--learn-from", "all"]) == 0
    assert "this search alone: no ended search has a trial that lies in the space" in capsys.readouterr().out
    assert command("search")(given) == 0
    assert "past searches" not in capsys.readouterr().out
    assert "earlier must have a trial" in refusal(command("search"), [*given, "--learn-from", "earlier"], capsys)
    assert not (past.folder / "mlruns").exists()
