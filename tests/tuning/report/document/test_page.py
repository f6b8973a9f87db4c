"""A page loads nothing from elsewhere."""

from __future__ import annotations

import re

from mlflow.tracking import MlflowClient

from report_store import Page, Store


def test_a_page_loads_nothing_and_links_to_runs(whole: Store) -> None:
    source = (whole.folder / "out" / "report.html").read_text(encoding="utf-8")
    page = Page(source)
    assert page.loads and all(address.startswith("data:") for address in page.loads)
    client = MlflowClient(whole.uri)
    experiment = client.get_experiment_by_name("srcnn")
    assert experiment is not None
    runs = {run.info.run_id for run in client.search_runs([experiment.experiment_id])}
    known = {f"http://127.0.0.1:5000/#/experiments/{experiment.experiment_id}/runs/{run_id}" for run_id in runs}
    outside = {link for link in page.links if not link.startswith("#")}
    assert outside == known
    assert "default-src 'none'" in source
    # The library of the plots is there once, however many plots there are.
    assert source.count("Bokeh.safely(") == 1
    assert len(re.findall(r'<figure id="figure-', source)) == 3
    assert all(f'id="{link[1:]}"' in source for link in page.links if link.startswith("#"))
