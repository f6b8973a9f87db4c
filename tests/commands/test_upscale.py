"""The command upscale: files, folders, going on, interruption, and mistakes as one line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient
from PIL import Image

from srcnn.commands.upscale import main
from srcnn.config.architecture import ModelConfig
from srcnn.imaging.image_files import read_image, write_image
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import save_network
from srcnn.upscaling.enlarge import upscale
from srcnn.upscaling.folders import RECORD
from srcnn.upscaling.photo_reading import read_photo

from checkout import EXPERIMENTS, ROOT
from odd_photos import ODD_PHOTOS, path_of, write_all
from pictures import photo


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with ``photos``, a folder of two, and ``net.safetensors``, a network for x2."""
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "photos" / "a.png", photo())
    write_image(tmp_path / "photos" / "sub" / "b.png", photo(9, 7, grey=True))
    save_network(tmp_path / "net.safetensors", network().state_dict(), network().config)
    return tmp_path


def network() -> SRCNN:
    small = SRCNN(ModelConfig(kernels=(3, 1), filters=(4,), scale=2))
    small.initialize("he", 0.1, torch.Generator().manual_seed(0))
    return small.eval()


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    try:
        code: Any = main(arguments)
    except SystemExit as leaving:
        code = leaving.code
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    return shown.err


def test_a_file_is_what_the_library_makes_of_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["photos/a.png", "--scale", "2", "--model", "net.safetensors", "--precision", "fp32"]) == 0
    expected = upscale(photo(), 2, network=network(), precision="fp32")
    assert np.array_equal(read_image(place / "photos" / "a_x2.png"), expected)
    assert "photos/a.png -> photos/a_x2.png, 52x62" in capsys.readouterr().out


@pytest.fixture
def registry(tmp_path: Path, empty: Path) -> MlflowClient:
    """A store whose registry has a champion for x3 alone."""
    (tmp_path / "mlruns").mkdir()
    shutil.copy(empty, tmp_path / "mlruns")
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")
    client.create_experiment("srcnn", artifact_location=(tmp_path / "artifacts").as_uri())
    client.create_registered_model("srcnn-x3")
    promote(client, tmp_path, 3)
    return client


def promote(client: MlflowClient, folder: Path, seed: int) -> SRCNN:
    """Register a new network as the champion for x3."""
    made = SRCNN(ModelConfig(kernels=(3, 1), filters=(4,), scale=3))
    made.initialize("he", 0.1, torch.Generator().manual_seed(seed))
    save_network(folder / "network.safetensors", made.state_dict(), made.config)
    run = client.create_run(client.get_experiment_by_name("srcnn").experiment_id)
    client.log_artifact(run.info.run_id, str(folder / "network.safetensors"), "checkpoint")
    version = client.create_model_version("srcnn-x3", f"{run.info.artifact_uri}/checkpoint", run.info.run_id)
    client.set_registered_model_alias("srcnn-x3", "champion", version.version)
    return made.eval()


def test_the_registry_needs_champions_of_the_passes_only(
    place: Path, registry: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["photos/a.png", "--model", "registry", "--precision", "fp32"]
    for target in (["--scale", "2.5"], ["--scale", "9"], ["--size", "78x99"]):
        assert main([*given, *target]) == 0
    capsys.readouterr()
    for scale in ("2", "6"):  # 6 = 3 x 2
        assert "has no champion at x2" in refusal([*given, "--scale", scale], capsys)
    registry.delete_registered_model("srcnn-x3")
    assert "has no champion at x2" in refusal([*given, "--size", "78x93", "--force"], capsys)


def test_a_new_champion_in_the_registry_makes_a_folder_anew(
    place: Path, registry: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["photos/a.png", "--model", "registry", "--precision", "fp32", "--out", "large", "--scale", "2.5"]
    assert main(given) == main(given) == 0
    assert "1 finished before" in capsys.readouterr().out
    newer = promote(registry, place, 4)
    assert "large/a.png: exists; --force writes over it" in refusal(given, capsys)
    assert main([*given, "--force"]) == 0
    assert np.array_equal(
        read_image(place / "large" / "a.png"), upscale(photo(), 2.5, network=lambda scale: newer, precision="fp32")
    )


def test_a_folder_goes_on_where_it_was(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["photos", "--scale", "3", "--model", "bicubic", "--out", "large", "--compare"]
    assert main(command) == 0
    assert read_image(place / "large" / "sub" / "b.png").shape == (27, 21)
    assert (place / "large" / "a_compare.png").is_file()
    assert "2 photos enlarged" in capsys.readouterr().out
    (place / "large" / "a.png").unlink()
    assert main(command) == 0
    assert "1 photo enlarged" in capsys.readouterr().out
    assert main(command) == 0
    assert "0 photos enlarged in 0.0 s; 2 finished before\n" in capsys.readouterr().out
    assert main(["photos", "--scale", "4", "--model", "bicubic", "--out", "large"]) == 1  # made otherwise
    assert "large/a.png: exists; --force writes over it" in capsys.readouterr().err
    assert main(["photos", "--scale", "4", "--model", "bicubic", "--out", "large", "--force", "-q"]) == 0
    assert read_image(place / "large" / "sub" / "b.png").shape == (36, 28)


def test_every_odd_photo_in_a_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(place / "odd")
    assert main(["odd", "--scale", "2", "--model", "bicubic", "--out", "out", "--json"]) == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    done = {event["photo"]: event for event in events if event["event"] == "done"}
    failed = {event["photo"]: event["message"] for event in events if event["event"] == "failed"}
    skipped = 0
    for odd in ODD_PHOTOS:
        path = path_of(odd, Path("odd"))
        if not odd.refused:
            result = Path(done[str(path)]["result"])
            width, height = odd.size
            assert result.relative_to("out") == path.relative_to("odd").with_suffix(result.suffix)
            found = read_photo(result)
            assert found.pixels.shape[:2] == (2 * height, 2 * width)
            assert found.format.lower() == odd.format
            # TIFF has no common kind for grey with alpha of 16 bits; WebP is always colour
            assert (str(found.pixels.dtype), found.channels) == (odd.dtype, odd.channels)
        elif str(path) in failed:
            assert odd.refused in failed[str(path)]
        else:
            skipped += 1
    assert events[-1]["done"] == sum(not odd.refused for odd in ODD_PHOTOS)
    assert events[-1]["skipped"] == {"not a photo": skipped}
    assert skipped == 1  # the drawing


def test_deep_colour_stays_deep_and_the_first_page_is_taken(place: Path) -> None:
    write_all(place / "odd")
    given = ["odd/rgb16.png", "odd/pages.tif", "odd/cmyk.jpg", "--first-page", "--size", "60x60", "--model", "bicubic"]
    assert main([*given, "--out", "out", "--format", "tiff"]) == 0
    assert read_photo(place / "out" / "rgb16.tif").pixels.dtype == np.uint16
    assert read_photo(place / "out" / "pages.tif").pixels.shape == (60, 50, 3)


def test_transparent_jpeg_needs_a_background(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(place / "odd")
    given = ["odd/rgba.png", "--model", "bicubic", "--format", "jpg"]
    assert main(given) == 1
    assert "odd/rgba.png: has transparent pixels" in capsys.readouterr().err
    assert not (place / "odd" / "rgba_x3.jpg").exists()
    assert main([*given, "--background", "#00ff00"]) == 0


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["none.png"], ["none.png: no such file"]),
        (["photos"], ["--out: must be given"]),
        (["photos", "--out", "photos"], ["--out: must be another folder"]),
        (["photos/a.png", "--out", "net.safetensors"], ["--out: must be a folder"]),
        (["net.safetensors"], ["net.safetensors: is not an image"]),
        (["photos/a.png", "--scale", "0"], ["--scale", "'0'"]),
        (["photos/a.png", "--size", "3"], ["--size", "'3'"]),
        (["photos/a.png", "--size", "3x3", "--scale", "2"], ["--size", "without --scale"]),
        (["photos/a.png", "--format", "bmp"], ["--format", "'bmp'", "png"]),
        (["photos/a.png", "--quality", "101"], ["--quality", "101"]),
        (["photos/a.png", "--background", "red"], ["--background", "'red'"]),
        (["photos/a.png", "--threads", "0"], ["--threads", "0"]),
        (["photos/a.png", "--max-pixels", "many"], ["--max-pixels", "'many'"]),
        (["photos/a.png", "--max-pixels", "100"], ["photos/a.png", "806", "--max-pixels 100"]),
        (["photos/a.png", "--precision", "fp8"], ["--precision", "fp8"]),
        (["photos/a.png", "--model", "champoin"], ["--model", "champion"]),
        (["photos/a.png", "--model", "none.safetensors"], ["none.safetensors"]),
        (["photos/a.png", "--sclae", "3"], ["--sclae", "--scale"]),
        (["photos/a.png", "photos/a.png"], ["photos/a_x3.png: would be the result of"]),
        (["empty", "--out", "out"], ["there is no photo in empty"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_mistakes(place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], parts: list[str]) -> None:
    (place / "empty").mkdir()
    before = sorted(place.rglob("*"))
    model = [] if "--model" in arguments else ["--model", "bicubic"]
    error = refusal([*arguments, *model], capsys)
    assert all(part in error for part in parts), error
    assert sorted(place.rglob("*")) == before


def test_an_existing_result_is_refused_before_anything(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "photos" / "a_x3.png").write_bytes(b"mine")
    error = refusal(["photos/sub/b.png", "photos/a.png", "--model", "bicubic"], capsys)
    assert "photos/a_x3.png: exists; --force writes over it" in error
    assert not (place / "photos" / "sub" / "b_x3.png").exists()
    assert (place / "photos" / "a_x3.png").read_bytes() == b"mine"


def test_ctrl_c_leaves_whole_files_and_the_command_goes_on(place: Path) -> None:
    """A process of its own, interrupted after its first photo."""
    rng = np.random.default_rng(0)
    for i in range(25):
        write_image(place / "many" / f"{i:02}.png", rng.integers(0, 256, (150, 150, 3), dtype=np.uint8))
    command = [
        sys.executable,
        str(EXPERIMENTS / "upscale.py"),
        "many",
        "--out",
        "out",
        "--model",
        "bicubic",
        "--scale",
        "4",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert running.stdout is not None
    assert running.stdout.readline().startswith("[1/25] ")
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=300)
    if running.returncode == 0:
        pytest.skip("the command was done before the signal came")
    assert running.returncode == 130
    assert "photos are done; the same command goes on with the rest" in errors
    assert "Traceback" not in errors
    written = sorted(path.name for path in (place / "out").iterdir() if path.name != RECORD)
    for name in written:
        with Image.open(place / "out" / name) as image:
            image.load()
    assert all(name[0] != "." for name in written)
    assert main(["many", "--out", "out", "--model", "bicubic", "--scale", "4", "-q"]) == 0
    assert len(list((place / "out").glob("*.png"))) == 25
