"""evaluate.py with networks by name; files, flags and JSON: tests/experiments/test_commands.py."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from srcnn.champions import champion_card
from srcnn.commands.evaluate import main
from srcnn.model.weights_file import save_network

from small_network import small_network

REAL = os.environ.get("SRCNN_DATA")


@pytest.mark.skipif(not REAL or not Path(REAL, "Set5").is_dir(), reason="$SRCNN_DATA holds no Set5")
def test_the_champion_has_the_figures_of_its_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scores.json"
    assert main(["--model", "champion", "--data", "Set5", "--scale", "3", "--json", str(out)]) == 0
    score = champion_card(3).score("Set5")
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["mean"]["psnr"] == pytest.approx(score.psnr, abs=1e-4)
    assert written["mean"]["ssim"] == pytest.approx(score.ssim, abs=1e-4)
    assert (written["weights"], written["digest"]) == ("champion", score.digest)
    printed = capsys.readouterr().out
    assert re.search(rf"mean\W+{score.psnr:.2f}\W+{score.ssim:.4f}", printed)
    assert written["patterns"] == pytest.approx(champion_card(3).patterns, abs=1e-3)
    assert written["pattern_lead_worst"] == min(written["patterns"].values())
    assert "drawn pattern" not in printed


def test_a_network_that_fails_on_a_drawn_pattern_has_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "network.safetensors", tmp_path / "scores.json"
    network = small_network(scale=2)
    save_network(file, network.state_dict(), network.config)
    given = ["--data", "sample/test", "--scale", "2", "--json", str(out)]
    assert main(["--model", str(file), *given]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert line.startswith("warning: the network is more than 1 dB behind bicubic on a drawn pattern (")
    assert json.loads(out.read_text(encoding="utf-8"))["pattern_lead_worst"] < -1
    assert main(["--model", "bicubic", *given]) == 0
    assert "warning" not in capsys.readouterr().out
    written = json.loads(out.read_text(encoding="utf-8"))
    assert (written["patterns"], written["pattern_lead_worst"]) == ({}, None)


def test_weights_is_another_name_of_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--weights", "champoin", "--data", "sample/test", "--scale", "3"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: --model: network 'champoin' does not exist; did you mean 'champion'?"
    )


def test_an_ensemble_is_named_in_the_table_and_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = {}
    for flags in ([], ["--ensemble"]):
        out = tmp_path / "scores.json"
        arguments = ["--model", "champion", "--data", "sample/test", "--scale", "4", "--json", str(out)]
        assert main([*arguments, *flags]) == 0
        printed = capsys.readouterr().out
        assert ("ensemble of 8" in printed) == bool(flags)
        written = json.loads(out.read_text(encoding="utf-8"))
        figures[written["protocol"]] = written["mean"]["psnr"]
    assert set(figures) == {"srcnn", "srcnn, ensemble of 8"}
    assert 0 < figures["srcnn, ensemble of 8"] - figures["srcnn"] < 0.3


def test_bicubic_has_no_ensemble(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "bicubic", "--data", "sample/test", "--scale", "3", "--ensemble"]) == 2
    assert capsys.readouterr().err == "error: --ensemble: must be given with a network, but got --model bicubic\n"
