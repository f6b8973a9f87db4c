"""Real searches: a real Ray, a real SQLite store, real images, real kills."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from srcnn.commands import search
from srcnn.data.datasets import load
from srcnn.errors import SearchError
from srcnn.evaluation.drawn_patterns import leads, worst
from srcnn.evaluation.protocol import evaluate
from srcnn.model.weights_file import load_network
from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.whole_search.run import plan_search, run_search

from checkout import EXPERIMENTS
from one_ray import one_ray

__all__ = ["one_ray"]  # a search, and the last parts of searches that were killed, on one Ray

COMMAND = EXPERIMENTS / "search.py"


def settings(name: str, **fields: object) -> SearchSettings:
    given: dict[str, Any] = {"name": name, "space": "space.yaml", "train": "train", "test": ("test",)}
    given |= {"validation": 2, "budget": 150e3, "confirm": False}
    return SearchSettings(**{**given, **fields})


def store() -> MlflowClient:
    return MlflowClient(f"sqlite:///{Path.cwd()}/mlruns/mlflow.db")  # MLflow caches stores by address


def runs(client: MlflowClient, search: str) -> tuple[Run, list[Run]]:
    """The parent run of a search and its children."""
    experiment = client.get_experiment_by_name("srcnn")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    (parent,) = [r for r in found if r.data.tags["srcnn.trial"] == "parent" and r.data.tags["srcnn.search"] == search]
    return parent, [r for r in found if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]


def finished_scales(search: str) -> set[str]:
    """The scales at which a trial of a running search has finished; the default scheduler stops none before the end."""
    _, children = runs(store(), search)
    return {child.data.params["scale"] for child in children if child.info.status == "FINISHED"}


def steps(client: MlflowClient, run: Run) -> list[int]:
    return [metric.step for metric in client.get_metric_history(run.info.run_id, "objective")]


def test_a_search_leaves_a_true_record(workplace: Path) -> None:
    result = run_search(plan_search(settings("record", trials=4)))
    assert len(result.rows) == 4
    assert result.count(Outcome.FAILED) == 0
    assert not result.interrupted
    client = store()
    parent, children = runs(client, "record")
    assert parent.info.status == "FINISHED"
    assert [child.info.status for child in children] == ["FINISHED"] * 4
    images = load("test").images
    for row in result.rows:
        (child,) = [c for c in children if c.data.tags["srcnn.trial"] == row.trial_id]
        assert child.data.params["kernels"] == "-".join(map(str, row.config.kernels))
        assert child.data.params["n1"] == str(row.config.filters[0])
        assert child.data.tags["outcome"] == row.outcome
        assert child.data.tags["protocol"] == "srcnn"
        assert child.inputs.dataset_inputs[0].dataset.digest == parent.data.tags["data.digest"]
        assert steps(client, child) == list(range(1, len(steps(client, child)) + 1))
        assert len(steps(client, child)) == EPOCHS or row.outcome is Outcome.STOPPED
        # The checkpoint in the store loads with one call and gives the logged figure again.
        network = load_network(Path(client.download_artifacts(child.info.run_id, "checkpoint/network.safetensors")))
        again = evaluate(network, images, row.config.scale).mean
        # Every full trial, and no other, was measured on the drawn patterns.
        lead = worst(leads(network))[1] if row.outcome is Outcome.FINISHED else None
        assert child.data.metrics.get("pattern_lead_worst") == row.pattern_lead == pytest.approx(lead, abs=1e-3)
        assert again.psnr == pytest.approx(child.data.metrics[f"test/test/x{row.config.scale}/psnr"], abs=1e-4)
        assert again.ssim == pytest.approx(child.data.metrics[f"test/test/x{row.config.scale}/ssim"], abs=1e-6)
    board = Path(client.download_artifacts(parent.info.run_id, "leaderboard.csv")).read_text(encoding="utf-8")
    assert {line["trial"] for line in csv.DictReader(io.StringIO(board))} == {row.trial_id for row in result.rows}
    assert "best" in parent.data.tags["mlflow.note.content"]
    with pytest.raises(SearchError, match="record exists"):
        run_search(plan_search(settings("record", trials=4)))


def wait_until(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300  # a busy machine takes its time to start Ray
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(process.communicate()[0])
        if ready():
            return
        time.sleep(0.2)
    raise AssertionError("the search did not get there in time")


def reports() -> int:
    """Reports in the store so far; read with SQLite, which does not load the store again and again as a client would."""
    try:
        with closing(sqlite3.connect(f"file:{Path.cwd()}/mlruns/mlflow.db?mode=ro", uri=True)) as database:
            (count,) = database.execute("select count(*) from metrics where key = 'objective'").fetchone()
            return int(count)
    except sqlite3.OperationalError:
        return 0


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(COMMAND), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a signal to it alone, as a person's kill would send
    )


def resumed(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says that resumes a search; in this process, which has loaded all that a new one would have to load."""
    capsys.readouterr()
    code = search.main(["--resume", name])
    said = "".join(capsys.readouterr())
    assert code == 0, said
    return said


@pytest.mark.slow
def test_interrupted_then_killed_a_search_goes_on_and_loses_nothing(
    with_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--name", "hard", "--space", "space.yaml", "--train", "train", "--test", "test"]
    first = start(*arguments, "--validation", "2", "--trials", "6", "--budget", "1500k", "--no-confirm")
    wait_until(first, lambda: reports() >= 3)
    os.kill(first.pid, signal.SIGINT)
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 130, output
    assert "--resume hard" in output
    client = store()
    parent, children = runs(client, "hard")
    assert parent.info.status == "KILLED"
    assert all(child.info.status in ("KILLED", "FINISHED") for child in children)

    before = reports()
    second = start("--resume", "hard")
    wait_until(second, lambda: reports() >= before + 4)
    os.kill(second.pid, signal.SIGKILL)
    second.communicate(timeout=60)
    finished = {c.info.run_id for c in runs(client, "hard")[1] if c.info.status == "FINISHED"}

    resumed("hard", capsys)
    parent, children = runs(client, "hard")
    assert parent.info.status == "FINISHED"
    assert len(children) == 6
    assert len({child.data.tags["srcnn.trial"] for child in children}) == 6
    assert [child.data.tags for child in children if child.info.status != "FINISHED"] == []
    assert finished <= {child.info.run_id for child in children}
    for child in children:
        last = EPOCHS if child.data.tags["outcome"] == "finished" else max(steps(client, child))
        assert steps(client, child) == list(range(1, last + 1))


@pytest.mark.slow
def test_a_killed_search_goes_on_with_what_is_left_of_its_time(
    with_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--name", "timed", "--space", "space.yaml", "--train", "train", "--test", "test", "--budget", "300k"]
    budget = ["--validation", "2", "--trials", "500", "--time-budget", "1h", "--confirm-seeds", "2", "--best", "1"]
    budget += ["--choice-seeds", "1", "--max-concurrent", "1"]
    first = start(*arguments, *budget)
    wait_until(
        first, lambda: reports() >= 12 and finished_scales("timed") == {"2", "3"}
    )  # else there is nothing to confirm
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=60)
    file = with_store / "mlruns" / "ray" / "timed" / "time.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert 0 < kept["spent"] < 3600
    before = {network.parent.name for network in file.parent.glob("*/network.safetensors")}
    kept["spent"] = 3600.0  # as if it had run for an hour
    file.write_text(json.dumps(kept), encoding="utf-8")

    assert "time_budget: 3600 s of the 3600 s are spent" in resumed("timed", capsys)
    parent, children = runs(store(), "timed")
    assert parent.info.status == "FINISHED"
    # Nothing new: beside those with a report there was at most one that had begun when it was killed.
    after = {c.data.tags["srcnn.trial"] for c in children if c.data.tags["stage"] == "search"}
    assert len(after - before) <= 1
    assert json.loads(file.read_text(encoding="utf-8"))["spent"] > 3600


@pytest.mark.slow
def test_a_search_killed_on_its_ladder_climbs_on(with_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--name", "ladder", "--space", "space.yaml", "--train", "train", "--test", "test", "--validation", "2"]
    budget = ["--scale", "3", "--trials", "8", "--budget", "150k", "--confirm-budget", "1350k", "--best", "1"]
    first = start(*arguments, *budget, "--choice-seeds", "1", "--confirm-seeds", "2", "--max-concurrent", "1")
    folder = with_store / "mlruns" / "ray" / "ladder"
    wait_until(first, lambda: any((folder / "confirm-8-rung-1").glob("*/network.safetensors")))
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=60)

    output = resumed("ladder", capsys)
    assert "search ladder, resumed" in output
    assert "then the best 3 with " in " ".join(output.split())
    client = store()
    parent, children = runs(client, "ladder")
    assert parent.info.status == "FINISHED"
    assert len({child.data.tags["srcnn.trial"] for child in children}) == len(children)
    kinds: dict[str, list[Run]] = {}
    for child in children:
        tags = child.data.tags
        kinds.setdefault(tags["stage"] + tags.get("srcnn.rung", ""), []).append(child)
        if tags["stage"] != "search":  # each has its whole schedule, whatever its budget
            assert steps(client, child) == list(range(1, EPOCHS + 1))
    assert {kind: len(some) for kind, some in kinds.items()} == {
        "search": 8, "confirm1": 3, "confirm2": 2, "confirm": 1, "judge": 2
    }  # fmt: skip

    def of(kind: str, *names: str) -> list[tuple[str, ...]]:
        return sorted(tuple(child.data.params[name] for name in names) for child in kinds[kind])

    network = ("kernels", "filters", "learning_rate")
    # Different architectures, as far as the search has begun three; which ones it begins depends on measured times.
    assert len(set(of("confirm1", *network[:2]))) == min(3, len(set(of("search", *network[:2]))))
    assert set(of("confirm2", *network)) < set(of("confirm1", *network))
    assert set(of("judge", *network)) == set(of("confirm", *network)) < set(of("confirm2", *network))
    assert [{float(pixels) for (pixels,) in of(f"confirm{k}", "pixels")} for k in (1, 2, "")] == [
        {15e4},
        {45e4},
        {135e4},
    ]
    seeds = [set(of(kind, "seed")) for kind in kinds]
    assert sum(map(len, seeds)) == len(set.union(*seeds))  # no seed has two purposes


def test_a_storage_that_cannot_be_written_is_refused(workplace: Path) -> None:
    (workplace / "file").write_text("", encoding="utf-8")
    with pytest.raises(SearchError, match=r"storage: .*file/x cannot be written"):
        run_search(plan_search(settings("x", trials=1, storage="file")))
