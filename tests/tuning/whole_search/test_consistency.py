"""A real search whose stores agree, and what is said and mended when somebody breaks them."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from srcnn.commands import runs
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.whole_search.consistency import open_books, repair, verify
from srcnn.tuning.whole_search.run import plan_search, run_search

STORAGE = Path("mlruns/ray")


@pytest.mark.slow
def test_what_is_broken_is_named_and_mended(
    with_store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{with_store}/mlruns/mlflow.db"
    given = {"space": "space.yaml", "train": "train", "test": ("test",), "budget": 3e4, "max_concurrent": 1}
    short = {"trials": 4, "scales": (3,), "best": 1, "choice_seeds": 1, "confirm_seeds": 2}
    settings = SearchSettings(name="sound", **given, **short)
    run_search(plan_search(settings))
    books = open_books("sound", STORAGE, uri)
    assert verify(books) == []
    assert books.optuna is not None
    assert len(books.optuna) == 4
    assert len(books.trials) > 4  # and the confirmation
    assert runs.main(["verify", "sound"]) == 0
    assert "all agree" in capsys.readouterr().out

    client = MlflowClient(uri)
    finished = [run for run in books.runs if run.data.tags["outcome"] == "finished"]
    client.update_run(finished[0].info.run_id, status="RUNNING")
    client.log_metric(finished[1].info.run_id, "objective", 0.5, step=99)
    (artifact,) = Path("mlruns/artifacts").glob(f"{finished[2].info.run_id}/artifacts/checkpoint/network.safetensors")
    artifact.write_bytes(b"torn")
    parent = books.parent
    orphan = client.create_run(
        parent.info.experiment_id, tags={"mlflow.parentRunId": parent.info.run_id, "srcnn.trial": "nobody"}
    )
    doubled = client.create_run(
        parent.info.experiment_id,
        tags={"mlflow.parentRunId": parent.info.run_id, "srcnn.trial": finished[0].data.tags["srcnn.trial"]},
    )
    client.set_terminated(doubled.info.run_id, "KILLED")

    assert runs.main(["verify"]) == 1  # the newest
    said = capsys.readouterr().out
    for kind in ("orphan: nobody", "doubled: ", "steps: ", "artifact: "):
        assert kind in said
    client.delete_run(doubled.info.run_id)
    broken = verify(open_books("sound", STORAGE, uri))
    assert sorted(problem.kind for problem in broken) == ["artifact", "orphan", "status", "steps"]
    assert len(repair(open_books("sound", STORAGE, uri), broken)) == 3
    left = verify(open_books("sound", STORAGE, uri))
    assert [problem.kind for problem in left] == ["steps"]  # a report that nobody made cannot be taken back
    assert client.get_run(orphan.info.run_id).info.status == "KILLED"

    def fails(*_: object, **__: object) -> None:
        raise MlflowException("(sqlite3.OperationalError) database or disk is full\nmore")

    client.update_run(finished[0].info.run_id, status="RUNNING")
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "set_terminated", fails)
        assert runs.main(["repair", "sound"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "database or disk is full\n" in said and "more" not in said
    assert runs.main(["repair", "sound"]) == 1  # the store is there again; one report too many stays

    network = next(STORAGE.glob("sound/*/network.safetensors"))
    network.write_bytes(b"")
    assert "checkpoint" in [problem.kind for problem in verify(open_books("sound", STORAGE, uri))]

    assert runs.main(["verify", "sund"]) == 2
    assert "error: search 'sund' does not exist; did you mean 'sound'?" in capsys.readouterr().err
    assert runs.main(["list"]) == 0
    assert "sound" in capsys.readouterr().out
