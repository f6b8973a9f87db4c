"""The registry's title: who gets it, who keeps it, and what a registry that fails changes (nothing). Real MLflow stores."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from numpy.typing import NDArray
from PIL import Image

from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet
from srcnn.evaluation.protocol import evaluate
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import save_network
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.champion import promote
from srcnn.tuning.whole_search.choice import Choice, Confirmed

CONFIG = TrainConfig(kernels=(5, 1, 3), filters=(8, 8), scale=3)


@pytest.fixture
def plan(workplace: Path) -> Plan:
    return plan_search(SearchSettings(name="s", space="space.yaml", train="train", test=("test",), validation=2))


@pytest.fixture
def tracker(workplace: Path, empty: Path) -> Tracker:
    shutil.copy(empty, workplace)
    made = Tracker(f"sqlite:///{workplace / 'mlflow.db'}", workplace / "artifacts")
    made.open_search("s", {}, {})
    return made


def holder_gains(plan: Plan) -> NDArray[np.float64]:
    """Of the network that `a_choice` writes, on the judging images."""
    images = plan.judging.images
    ours, plain = (evaluate(one, images, 3, with_ssim=False).images for one in (SRCNN(CONFIG.architecture), None))
    return np.array([a.psnr - b.psnr for a, b in zip(ours, plain, strict=True)])


def a_choice(tracker: Tracker, folder: Path, name: str, judged: NDArray[np.float64] | None) -> Choice:
    file = folder / name / "network.safetensors"
    file.parent.mkdir()
    save_network(file, SRCNN(CONFIG.architecture).state_dict(), CONFIG, {})
    tracker.start_trial(name, name, {"scale": 3}, {}, {"name": "n", "digest": "d", "images": "1"})
    tracker.log_file(name, file, "checkpoint")
    tracker.end_trial(name, "FINISHED", {"outcome": "finished"})
    tracker.flush()
    report = TrialReport(9, 9, (1.0,), EpochFigures(1.0, best_objective=1.0, best_val_psnr=30.0, best_val_gain=1.0))
    row = TrialResult(name, TrialSpec(CONFIG, label=name), Outcome.FINISHED, report, checkpoint=file)
    return Choice(3, (Confirmed((row,), np.ones((2, 2)), (row,), judged),))


def title(tracker: Tracker) -> int:
    return int(tracker.client.get_model_version_by_alias("srcnn-x3", "champion").version)


def test_the_title_goes_to_the_first_and_then_only_to_a_sure_lead(
    plan: Plan, tracker: Tracker, workplace: Path
) -> None:
    gains = holder_gains(plan)
    assert len(gains) == 4
    noise = np.array([[-0.01], [0.0], [0.01]])
    assert promote(plan, tracker, a_choice(tracker, workplace, "a", gains + noise)).endswith("version 1, the first")
    said = promote(plan, tracker, a_choice(tracker, workplace, "b", gains + noise))
    assert "stays version 1, not 2" in said and "may be chance" in said
    assert title(tracker) == 1
    # Half a dB on two of the four images, as much behind on the others.
    said = promote(plan, tracker, a_choice(tracker, workplace, "c", gains + noise + [0.6, -0.5, 0.6, -0.5]))
    assert "stays version 1, not 3" in said
    said = promote(plan, tracker, a_choice(tracker, workplace, "d", gains + noise + 0.1))
    assert "is version 4: +0.100" in said and "dB over version 1 on 4 judging images, 3 seeds" in said
    assert title(tracker) == 4


@pytest.mark.parametrize("shape", [None, (2, 4), (3, 3)])
def test_too_few_seeds_or_images_leave_the_title(
    plan: Plan, tracker: Tracker, workplace: Path, shape: tuple[int, int] | None
) -> None:
    promote(plan, tracker, a_choice(tracker, workplace, "a", None))
    judged = None if shape is None else np.full(shape, 9.0)
    if shape is not None:
        plan = replace(plan, judging=ImageSet("few", plan.judging.images[: shape[1]]))
    said = promote(plan, tracker, a_choice(tracker, workplace, "b", judged))
    assert "stays version 1" in said
    assert "at least 3 seeds and 4 judging images" in said
    assert title(tracker) == 1


def test_a_winner_with_artefacts_does_not_take_the_title_from_another(
    plan: Plan, tracker: Tracker, workplace: Path
) -> None:
    promote(plan, tracker, a_choice(tracker, workplace, "a", None))
    better = a_choice(tracker, workplace, "b", np.full((3, 4), 9.0) + np.array([[-0.01], [0.0], [0.01]]))
    row = better.winner.rows[0]
    assert row.report is not None
    failing = replace(row, report=replace(row.report, pattern_lead=-7.9))
    better = replace(better, ranked=(replace(better.winner, rows=(failing,)),))
    said = promote(plan, tracker, better)
    assert said.endswith("stays version 1, not 2: that one is more than 1 dB behind bicubic on a drawn pattern")
    assert title(tracker) == 1


FAILURES = {
    "get_registered_model": "the registry failed",
    "get_model_version_by_alias": "the registry failed",
    "create_model_version": "the registry failed",
    "download_artifacts": "its weights cannot be read",
}


@pytest.mark.parametrize("call", FAILURES)
def test_a_hiccup_deposes_nobody(
    plan: Plan, tracker: Tracker, workplace: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """One request that fails took "there is no champion" or "it has lost its weights" for an answer."""
    gains = holder_gains(plan)
    promote(plan, tracker, a_choice(tracker, workplace, "a", None))
    better = a_choice(tracker, workplace, "b", np.repeat((gains + 1.0)[None], 3, axis=0))

    def fails(*_: Any, **__: Any) -> None:
        raise MlflowException("API request failed: connection reset\nmore")

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, call, fails)
        said = promote(plan, tracker, better)
    assert FAILURES[call] in said
    assert "connection reset" in said and "\n" not in said
    assert title(tracker) == 1


def test_a_promotion_that_was_cut_off_is_finished_without_a_second_version(
    plan: Plan, tracker: Tracker, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that died between the version and the title registered the same network again when it was resumed."""
    gains = holder_gains(plan)
    promote(plan, tracker, a_choice(tracker, workplace, "a", None))
    better = a_choice(tracker, workplace, "b", gains + 1.0 + np.array([[-0.01], [0.0], [0.01]]))

    def dies(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(MlflowClient, "set_registered_model_alias", dies)
        promote(plan, tracker, better)
    assert title(tracker) == 1
    assert "is version 2: +1.000" in promote(plan, tracker, better)
    assert title(tracker) == 2
    assert len(tracker.client.search_model_versions("name='srcnn-x3'")) == 2


def test_lost_weights_keep_the_title_until_a_person_takes_it(plan: Plan, tracker: Tracker, workplace: Path) -> None:
    promote(plan, tracker, a_choice(tracker, workplace, "a", None))
    shutil.rmtree(workplace / "artifacts")
    said = promote(plan, tracker, a_choice(tracker, workplace, "b", np.full((3, 4), 9.0)))
    assert "stays version 1, not 2: its weights cannot be read" in said
    assert title(tracker) == 1


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def asked(address: str, content: str, process: subprocess.Popen[bytes]) -> Any:
    """The answer of a server that may still be starting."""
    request = urllib.request.Request(address, content.encode(), {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(1800):
        assert process.poll() is None, "the server has ended"
        try:
            with opener.open(request, timeout=60) as answer:
                return json.loads(answer.read())
        except (ConnectionError, urllib.error.URLError) as error:
            if isinstance(error, urllib.error.HTTPError):
                raise
            time.sleep(0.5)
    raise AssertionError("the server does not answer")


def test_mlflow_loads_and_serves_the_champion(
    plan: Plan, tracker: Tracker, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image in, the image at three times the size out: in this process, and over loopback from `mlflow models serve`."""
    promote(plan, tracker, a_choice(tracker, workplace, "a", None))
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracker.uri)
    try:
        model = mlflow.pyfunc.load_model("models:/srcnn-x3@champion")
    finally:
        mlflow.set_tracking_uri(before)
    picture = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(picture, "PNG")
    (here,) = model.predict(pd.DataFrame({"image": [picture.getvalue()]}))["image"]
    assert Image.open(io.BytesIO(here)).size == (90, 60)

    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", "models:/srcnn-x3@champion"]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": tracker.uri,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        # MLflow starts uvicorn by its name: the environment must be active, which `make test` does not need.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }
    process = subprocess.Popen(
        [*command, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        text = base64.b64encode(picture.getvalue()).decode()
        table = {"dataframe_split": {"columns": ["image"], "data": [[text]]}}
        answer = asked(f"http://127.0.0.1:{port}/invocations", json.dumps(table), process)
        assert base64.b64decode(answer["predictions"][0]["image"]) == here
        with pytest.raises(urllib.error.HTTPError) as refused:
            asked(f"http://127.0.0.1:{port}/invocations", json.dumps(table).replace(text, "AAAA"), process)
        assert refused.value.code == 400
        refused.value.close()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
