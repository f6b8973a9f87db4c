"""Ray places trials on invented GPUs, one each."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch

from srcnn.errors import SearchError
from srcnn.tuning.doctor import examination as doctor
from srcnn.tuning.doctor.examination import CHECKS, Check, examine

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def found(check: Check, **options: Any) -> doctor.Finding:
    (finding,) = examine(gpu=True, checks=[check], **options)
    return finding


@pytest.mark.slow
@without_gpu
def test_ray_places_trials_on_invented_gpus() -> None:
    finding = found(next(check for check in CHECKS if check.function == "search_checks.invented_gpus"))
    assert finding.outcome == "ok", finding.text
    assert finding.figures == {"trials": 4}


def test_a_trial_on_no_card_or_two_is_an_error() -> None:
    cards = importlib.import_module("srcnn.tuning.doctor.search_checks")._check_cards
    assert cards(["cuda 1", "cuda 0", "cuda 1"], kind="cuda") == ["0", "1"]
    for wrong in ("cuda 0,1", "cpu 0", "cuda", ""):
        with pytest.raises(SearchError, match="must run on one GPU"):
            cards(["cuda 0", wrong], kind="cuda")
