"""A report says what the store holds, in files that need nothing else; real MLflow stores, without Ray."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from srcnn.commands import report
from srcnn.errors import SearchError
from srcnn.tuning.report.build import report_after

from report_store import Page, Store


def test_a_report_at_the_end_is_logged_and_has_no_links_to_a_local_server(store: Store) -> None:
    store.open("mine")
    store.trial("a", [0.5, 0.6])
    store.tracker.close_search("FINISHED")
    client, folder = MlflowClient(store.uri), store.folder / "reports" / "mine"
    assert report_after(store.uri, "mine", folder, log=False) == folder / "report.html"
    assert not client.list_artifacts(store.tracker.parent_id, "report")
    file = report_after(store.uri, "mine", folder)
    source = file.read_text(encoding="utf-8")
    assert all(link.startswith("#") for link in Page(source).links) and "127.0.0.1" not in source
    assert "127.0.0.1" not in (folder / "report.md").read_text(encoding="utf-8")
    kept = {Path(artifact.path).name for artifact in client.list_artifacts(store.tracker.parent_id, "report")}
    assert kept == {"report.html", "report.md", "pictures", "tables"}
    with pytest.raises(SearchError, match="search 'mien' does not exist"):
        report_after(store.uri, "mien", folder)


def test_the_command(store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(store.folder)
    main = report.main
    store.open("mine")
    store.trial("a", [0.5, 0.6])
    store.tracker.close_search("FINISHED")
    assert main(["--tracking-uri", store.uri, "--no-log"]) == 0
    assert (store.folder / "mlruns" / "reports" / "mine" / "report.html").exists()
    client = MlflowClient(store.uri)
    assert not client.list_artifacts(store.tracker.parent_id, "report")
    (store.folder / "there").mkdir()
    (store.folder / "there" / "of somebody else").write_text("", encoding="utf-8")
    assert main(["mine", "--tracking-uri", store.uri, "--out", "there"]) == 0
    kept = {Path(artifact.path).name for artifact in client.list_artifacts(store.tracker.parent_id, "report")}
    assert kept == {"report.html", "report.md", "pictures", "tables"}
    capsys.readouterr()
    for arguments, message in (
        (["mien", "--tracking-uri", store.uri], "error: search 'mien' does not exist; did you mean 'mine'?"),
        (["--tracking-uri", f"sqlite:///{store.folder / 'none.db'}"], "error: tracking-uri: there is no store"),
        (["--tracking-uri", store.uri, "--ui", "there"], "error: --ui: must begin with http"),
        (["--tracking-uri", store.uri, "--out", "space.yaml"], "error: --out: must be a folder"),
    ):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert said.startswith(message) and said.count("\n") == 1
