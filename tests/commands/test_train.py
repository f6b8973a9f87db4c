"""The command train: what it prints and writes, its flags, and mistakes as one line with exit code 2."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from srcnn.champions import champion_card
from srcnn.commands import train
from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.evaluation.drawn_patterns import leads, worst
from srcnn.evaluation.protocol import evaluate
from srcnn.imaging.image_files import write_image
from srcnn.model.weights_digest import weights_digest
from srcnn.model.weights_file import load_network, read_header, save_network
from srcnn.system.source_commit import source_commit
from srcnn.training.checkpoint import load_state, save_state
from srcnn.tuning.tracking.names import METRIC_PATTERN_LEAD

from checkout import EXPERIMENTS
from command_parts import TINY, refusal


def test_a_tiny_run_writes_a_network_and_its_figures(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = photos / "run"
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test"), "--out", str(out)]
    assert train.main([*TINY, *sets, "--epochs", "2", "--scale", "2"]) == 0
    assert {p.name for p in out.iterdir()} == {"network.safetensors", "result.json", "run.json", "state.safetensors"}
    network = load_network(out / "network.safetensors")
    assert (network.config.kernels, network.config.filters, network.config.scale) == ((3, 1, 3), (8, 8), 2)
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert {"test", "psnr", "ssim", "bicubic", "bicubic_ssim", "seconds"} <= result.keys()
    job = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert job["commit"] == source_commit()
    assert set(job["versions"]) == {"torch", "numpy", "python"}
    printed = capsys.readouterr().out
    assert "epoch 1/2: loss" in printed
    assert "epoch 2/2: loss" in printed
    assert "3 images of" in printed  # a tenth, but at least one, of four is held out
    assert "1 held out for validation" in printed
    assert f"PSNR {result['psnr']:.2f} dB, SSIM {result['ssim']:.4f}" in printed
    # The figures are those of the protocol for the file.
    mean = evaluate(network, load(str(photos / "test")).images, 2).mean
    assert (mean.psnr, mean.ssim) == pytest.approx((result["psnr"], result["ssim"]), abs=1e-6)
    assert result[METRIC_PATTERN_LEAD] == pytest.approx(worst(leads(network))[1], abs=1e-3)
    assert "drawn pattern" not in printed


def test_a_network_that_fails_on_a_drawn_pattern_has_a_warning(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is hardly trained, and does not add to the bicubic image, so that it is far behind where the contrast is full."""
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test"), "--out", str(photos / "run")]
    assert train.main([*TINY, *sets, "--epochs", "1", "--no-residual"]) == 0
    pattern, lead = worst(leads(load_network(photos / "run" / "network.safetensors")))
    result = json.loads((photos / "run" / "result.json").read_text(encoding="utf-8"))
    assert result[METRIC_PATTERN_LEAD] == pytest.approx(lead, abs=1e-3)
    assert lead < -1
    warning, last = capsys.readouterr().out.splitlines()[-2:]
    assert warning.startswith(
        f"warning: the network is more than 1 dB behind bicubic on a drawn pattern ({pattern}: {-lead:.1f} dB): "
    )
    assert last.startswith("network: ")


def test_an_interrupted_run_goes_on_to_the_same_network(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
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

    assert train.main([*sets, "--resume", str(photos / "cut")]) == 0
    printed = capsys.readouterr().out
    assert f"epoch {stopped}/100" not in printed
    assert f"epoch {stopped + 1}/100" in printed
    assert (photos / "cut" / "result.json").exists()
    assert train.main([*arguments, "--out", str(photos / "whole")]) == 0
    for name in ("network.safetensors", "state.safetensors"):
        cut, whole = load_file(photos / "cut" / name), load_file(photos / "whole" / name)
        assert cut.keys() == whole.keys()
        assert all(torch.equal(cut[key], whole[key]) for key in cut)


def test_a_complete_run_only_reports(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test")]
    out = photos / "run"
    assert train.main([*TINY, *sets, "--epochs", "1", "--out", str(out)]) == 0
    capsys.readouterr()
    assert train.main([*sets, "--resume", str(out)]) == 0
    assert "the run was already complete" in capsys.readouterr().out


def test_resuming_with_another_configuration_names_the_difference(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test")]
    assert train.main([*TINY, *sets, "--epochs", "1", "--out", str(photos / "run")]) == 0
    capsys.readouterr()
    before = {file.name: file.read_bytes() for file in (photos / "run").iterdir()}
    error = refusal(train.main, [*TINY, *sets, "--epochs", "5", "--resume", str(photos / "run")], capsys)
    assert "different in epochs" in error
    assert before == {file.name: file.read_bytes() for file in (photos / "run").iterdir()}


def test_a_state_that_does_not_fit_its_run_is_refused_before_anything_is_written(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which step an epoch ends with is known only when the images are prepared."""
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test")]
    assert train.main([*TINY, *sets, "--epochs", "2", "--out", str(photos / "run")]) == 0
    capsys.readouterr()
    state = load_state(photos / "run" / "state.safetensors")
    wrong = {**state.numbers, "epoch": 1, "best_epoch": 1}
    save_state(photos / "run" / "state.safetensors", replace(state, numbers=wrong))
    before = {file.name: file.read_bytes() for file in (photos / "run").iterdir()}
    error = refusal(train.main, [*sets, "--resume", str(photos / "run")], capsys)
    step = state.numbers["step"]
    assert f"the training state is damaged, step {step} must be the last one of its epoch, 1 of 2" in error
    assert before == {file.name: file.read_bytes() for file in (photos / "run").iterdir()}


def test_the_article_preset_is_measured_by_its_own_protocol(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y, x = np.mgrid[:270, :300] / 30
    for i in range(2):
        wave = 120 + 80 * np.sin(x + i) * np.cos(y)
        write_image(tmp_path / "photos" / f"{i}.png", np.repeat(wave[:, :, None], 3, axis=2).astype(np.uint8))
    sets = ["--train", str(tmp_path / "photos"), "--test", str(tmp_path / "photos"), "--out", str(tmp_path / "run")]
    assert train.main(["--preset", "article", "--nEpochs", "1", "--batchSize", "1", "--allow-overlap", *sets]) == 0
    printed = capsys.readouterr().out
    assert printed.count("Average PSNR: ") == 2  # after the epoch, and at the end
    assert read_header(tmp_path / "run" / "network.safetensors")["config"]["protocol"] == "article"
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert {"psnr", "bicubic"} <= result.keys()
    assert "ssim" not in result
    assert result["pattern_lead_worst"] is None
    assert "drawn pattern" not in printed


def parsed(arguments: list[str]) -> TrainConfig:
    config: TrainConfig = train._config(train._parser().parse_args(arguments))
    return config


class TestFlags:
    """Flags to configuration, without a run."""

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
    error = refusal(train.main, [*tiny, "--train", "./train", "--test", "./test", *budget, *arguments], capsys)
    assert all(part in error for part in parts), error


def test_train_leaves_a_leak_out_or_marks_its_figures(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--train", str(leaky / "train"), "--test", str(leaky / "test"), "--validation", "1", "--epochs", "1"]
    flags += [*TINY, "--scale", "2"]
    assert train.main([*flags, "--out", str(leaky / "clean")]) == 0
    printed = capsys.readouterr().out
    assert "3 images of" in printed  # five, of which one is left out and one held out
    assert "left out, since they show what is measured: copy shows face of" in printed
    assert "†" not in printed
    record = json.loads((leaky / "clean" / "result.json").read_text(encoding="utf-8"))
    assert [leak["image"] for leak in record["left_out"]] == ["copy"]
    assert record["kept"] == []
    assert train.main([*flags, "--out", str(leaky / "kept"), "--allow-overlap"]) == 0
    printed = capsys.readouterr().out
    assert "4 images of" in printed
    assert re.search(r"test † x2: PSNR \d+\.\d\d dB", printed)
    assert "† measured on photographs that were trained on or chosen by: copy shows face of" in printed
    assert [leak["image"] for leak in json.loads((leaky / "kept" / "result.json").read_text())["kept"]] == ["copy"]
    assert train.main(["--resume", str(leaky / "clean"), "--allow-overlap"]) == 2
    assert "--allow-overlap: must be False as in the run in" in capsys.readouterr().err


def test_a_run_starts_from_the_network_of_another_scale(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = [
        "--train",
        str(photos / "train"),
        "--test",
        str(photos / "test"),
        "--upsampling",
        "pixel_shuffle",
        "--padding",
        "zeros",
    ]
    first, second = photos / "x2", photos / "x3"
    assert train.main([*TINY, *sets, "--scale", "2", "--epochs", "1", "--out", str(first)]) == 0
    file = first / "network.safetensors"
    origin = read_header(file)["extra"]["origin"]
    assert len(origin["validation"]) == 1
    capsys.readouterr()
    warm = [*TINY, *sets, "--scale", "3", "--start", str(file), "--epochs", "2"]
    assert train.main([*warm, "--out", str(second)]) == 0
    printed = capsys.readouterr().out
    digest = weights_digest(load_network(file).state_dict())
    assert f"starts from {file} ({digest[:16]}): layers 1, 2\n" in printed
    assert "warning" not in printed
    config = read_header(second / "network.safetensors")["config"]
    assert (config["start"], config["start_digest"]) == (str(file), digest)
    # A resumed run needs no file, and refuses another one.
    assert train.main([*sets, "--resume", str(second)]) == 0
    save_network(file, {k: v + 1 for k, v in load_network(file).state_dict().items()}, load_network(file).config)
    assert train.main([*sets, "--resume", str(second)]) == 0
    capsys.readouterr()
    error = refusal(train.main, [*sets, "--resume", str(second), "--start", str(file)], capsys)
    assert f"must have digest {digest[:16]}..., but have" in error


def test_a_start_network_that_has_seen_a_held_out_image_is_refused(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [
        "--train",
        str(photos / "train"),
        "--test",
        str(photos / "test"),
        "--upsampling",
        "pixel_shuffle",
        "--padding",
        "zeros",
    ]
    once = [*TINY, *sets, "--epochs", "1"]
    assert train.main([*once, "--validation", "0", "--scale", "2", "--out", str(photos / "x2")]) == 0
    file = photos / "x2" / "network.safetensors"
    warm = [*once, "--scale", "3", "--start", str(file)]
    capsys.readouterr()
    error = refusal(train.main, [*warm, "--out", str(photos / "x3")], capsys)
    assert f"start: {file} was trained on 1 image that this run measures, {photos / 'train'}/" in error
    assert not (photos / "x3").exists()
    assert train.main([*warm, "--out", str(photos / "x3"), "--allow-overlap"]) == 0
    assert f"warning: kept on request (--allow-overlap): {file}, 1 measured image" in capsys.readouterr().out
    assert train.main([*warm, "--out", str(photos / "x4"), "--validation", "0"]) == 0
    # What the package's champion was trained on cannot be compared with these photographs by name.
    capsys.readouterr()
    given = champion_card(2).configuration
    first, second, *_ = given.kernels
    chain = ["--kernels", f"{first}-{second}", "--filters", f"{given.filters[0]}", "--start", "champion:2"]
    assert train.main([*warm, *chain, "--out", str(photos / "x5")]) == 0
    printed = capsys.readouterr().out
    assert "starts from champion:2 (" in printed
    assert "were not compared with T91+BSDS300/train, on which champion:2 was trained" in printed


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("champoin:2", "start: must be random, champion:2"),
        ("nowhere/net.safetensors", "nowhere/net.safetensors: no such file"),
        ("models:/nothing@here", "there is no store at"),
    ],
)
def test_a_start_that_is_not_there_is_one_line(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, value: str, says: str
) -> None:
    monkeypatch.chdir(photos)
    assert says in refusal(train.main, ["--train", "train", "--test", "test", "--start", value], capsys)


def test_a_run_that_was_killed_before_its_first_epoch_begins_anew(photos: Path) -> None:
    """Neither --out nor --resume took such a folder."""
    out = photos / "run"
    out.mkdir()
    (out / "run.json").write_text("{}", encoding="utf-8")
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test"), "--out", str(out)]
    assert train.main([*TINY, *sets, "--epochs", "1", "--scale", "2"]) == 0
    assert train.main([*TINY, *sets, "--epochs", "1", "--scale", "2"]) == 2  # it has an epoch now
