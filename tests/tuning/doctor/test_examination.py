"""The doctor: every check isolated, a run without a GPU, and the checks of a GPU on the CPU, where their wiring shows."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from srcnn.errors import ConfigError, SearchError
from srcnn.system import own_process
from srcnn.tuning.doctor import examination as doctor
from srcnn.tuning.doctor.examination import CHECKS, Check, examine
from srcnn.tuning.trials.outcome import Outcome


def found(check: Check, **options: Any) -> doctor.Finding:
    (finding,) = examine(gpu=True, checks=[check], **options)
    return finding


def test_every_check_has_a_function_and_advice() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        module, _, name = check.function.rpartition(".")
        assert callable(getattr(importlib.import_module(f"srcnn.tuning.doctor.{module}"), name))
        assert check.advice


def test_a_check_that_raises_dies_or_hangs_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "more"
    package.mkdir()
    (package / "own_checks.py").write_text(
        "import os, time\n"
        "def raises(): raise ValueError('first line\\nsecond')\n"
        "def dies(): os._exit(3)\n"
        "def hangs(): time.sleep(600)\n"
    )
    # A package's path is read from the environment of the child, which this adds to.
    (tmp_path / "sitecustomize.py").write_text(
        f"import srcnn.tuning.doctor\nsrcnn.tuning.doctor.__path__.append({str(package)!r})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    rows = {
        name: found(Check(name, f"own_checks.{name}", False, "do this", limit=3.0 if name == "hangs" else 300.0))
        for name in ("raises", "dies", "hangs", "missing")
    }
    assert rows["raises"].text == "ValueError: first line"
    assert rows["dies"].text.startswith("the process ended with code 3")
    assert rows["hangs"].text == "took longer than 3 s"
    assert rows["missing"].text.startswith("AttributeError: ")
    assert {row.outcome for row in rows.values()} == {Outcome.FAILED}
    assert {row.advice for row in rows.values()} == {"do this"}


def test_options_reach_the_checks_that_take_them(tmp_path: Path) -> None:
    (check,) = [one for one in CHECKS if one.name == "disks"]
    assert found(check, options={"storage": str(tmp_path / "new" / "ray"), "tracking_uri": "other"}).outcome == "ok"


def test_without_the_platform_its_checks_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("ray", "mlflow") else real(name))
    rows = list(examine(gpu=False, checks=[one for one in CHECKS if one.needs]))
    assert [row.outcome for row in rows] == ["skipped"] * 2
    assert {(row.text, row.advice) for row in rows} == {
        ("ray, mlflow are not installed", "pip install 'srcnn[search]'")
    }


def test_a_call_in_a_process_of_its_own_gives_its_result_or_its_error() -> None:
    assert own_process.in_own_process(pow, 2, 10) == 1024
    with pytest.raises(ConfigError, match="device: must be"):
        own_process.in_own_process(torch_device_of, "gpu")
    with pytest.raises(SearchError, match="dies: the process died"):
        own_process.in_own_process(dies)


def torch_device_of(name: str) -> torch.device:
    from srcnn.system.device import pick_device

    return pick_device(name)


def dies() -> None:
    import os

    os._exit(1)
