"""The command report: its files for the newest search, and mistakes. What is in them: tests/tuning/report/."""

from __future__ import annotations

import pytest

from srcnn.commands import report

from command_parts import refusal
from past_store import PastStore


def test_the_newest_search_without_a_trace_in_mlflow_and_mistakes(
    past: PastStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.main(["--tracking-uri", past.uri, "--no-log", "--out", "folder"]) == 0
    assert capsys.readouterr().out.startswith("report of earlier: folder/report.html, and ")
    assert {"report.html", "report.md"} <= {path.name for path in (past.folder / "folder").iterdir()}
    store = ["--tracking-uri", past.uri]
    assert "'earlier'" in refusal(report.main, ["earlyer", *store], capsys)
    assert "--ui: must begin with http" in refusal(report.main, ["--ui", "there", *store], capsys)
    assert "--out: must be a folder" in refusal(report.main, ["--out", "space.yaml", *store], capsys)
    assert not (past.folder / "mlruns").exists()


def test_several_names_give_a_page_each_and_a_front_page(past: PastStore, capsys: pytest.CaptureFixture[str]) -> None:
    past.open("later")
    past.trial("cd_00001", [0.1, 0.3])
    past.close()
    names = ["later", "earlier", "later"]  # a name that is repeated has one page
    assert report.main([*names, "--tracking-uri", past.uri, "--out", "both"]) == 0
    assert capsys.readouterr().out.startswith("reports of later, earlier: both/index.html, and ")
    files = {path.name for path in (past.folder / "both").iterdir()}
    assert files == {
        "index.md",
        "index.html",
        "later.md",
        "later.html",
        "earlier.md",
        "earlier.html",
        "pictures",
        "tables",
    }
    front = (past.folder / "both" / "index.md").read_text(encoding="utf-8")
    assert "](<later.md>)" in front
    assert "](<earlier.md>)" in front
    for page in (past.folder / "both").glob("*.md"):
        assert "http://127" not in page.read_text(encoding="utf-8")
