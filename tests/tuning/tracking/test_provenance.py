"""Where a run came from, and how captions show it."""

from __future__ import annotations

from importlib.metadata import version

from srcnn.tuning.tracking.provenance import environment_tags, short_commit


def test_what_a_figure_depends_on_besides_its_configuration() -> None:
    tags = environment_tags()
    assert tags["version.torch"] == version("torch")
    assert tags["device"]
    assert {"version.python", "mlflow.source.git.commit", "mlflow.source.name"} <= set(tags)


def test_captions_show_ten_digits_and_the_mark_of_modified_files() -> None:
    assert short_commit({"mlflow.source.git.commit": "0123456789abcdef"}) == "0123456789"
    assert short_commit({"mlflow.source.git.commit": "0123456789abcdef-modified"}) == "0123456789-modified"
    assert short_commit({}) == "unknown"
