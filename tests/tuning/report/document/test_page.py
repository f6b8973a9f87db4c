"""The template of a report's page: escaped everywhere, and nothing but what the document holds."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from jinja2 import UndefinedError
from mlflow.tracking import MlflowClient
from PIL import Image

from srcnn.tuning.report.document import page
from srcnn.tuning.report.document.document import Cell, Comparison, Document, Figure, Section, Shot, Table, Text
from srcnn.tuning.report.document.page import to_html

from report_parts import picture
from report_store import Page, Store

SHARP = "{{ 7 * 6 }} {% raw %} \"><script>alert('x')</script> & &amp;"


class Tree(HTMLParser):
    """Tags with their attributes, and the texts between them, but for style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("style", "script") and data.strip():
            self.texts.append(data.strip())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def document() -> Document:
    table = Table("t", (SHARP, "b"), ((Cell(SHARP, "https://h/r?a=1&b=2"), Cell("1", "javascript:1", True)),), SHARP)
    figure = Figure("f", b"png", SHARP, SHARP)
    return Document(SHARP, SHARP, (Section(SHARP, (table, figure)), Section("last", (Text("**x** <b>y</b>"),))))


def test_every_value_is_shown_as_it_is_wherever_it_stands() -> None:
    tree = Tree(to_html(document()))
    # Title and heading, subtitle, contents, heading of the section, head of the table, cell, two captions.
    assert tree.texts.count(SHARP) == 9
    assert tree.of("img") == [{"alt": SHARP, "src": "data:image/png;base64,cG5n"}]  # no picture, so it stays what it is
    assert [link["href"] for link in tree.of("a")] == ["#section-1", "#section-2", "https://h/r?a=1&b=2"]
    assert len(tree.of("script")) == 1 and not tree.of("b")
    assert [s["id"] for s in tree.of("section")] == ["section-1", "section-2"]


def test_the_policy_lets_nothing_be_loaded() -> None:
    (policy,) = [m["content"] for m in Tree(to_html(document())).of("meta") if "http-equiv" in m]
    assert policy == (
        "default-src 'none'; img-src data: blob:; font-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not Tree(to_html(document())).of("link")[1:]  # the empty icon alone


def test_a_table_is_cut_where_it_says() -> None:
    rows = tuple((Cell(str(i)),) for i in range(3))
    html = to_html(Document("d", "", (Section("s", (Table("t", ("n",), rows, shown=2),)),)))
    assert re.findall(r"<tr><td[^>]*>(.)</td></tr>", html) == ["0", "1"]
    assert '<p class="caption">' not in html


def test_the_templates_lie_in_the_package_and_know_no_other_names() -> None:
    folder = resources.files("srcnn.tuning.report.document") / "templates"
    assert {file.name for file in folder.iterdir()} == {"page.html", "page.css", "page.js"}
    with pytest.raises(UndefinedError, match="'titel' is undefined"):
        page._environment().from_string("{{ titel }}").render()
    # What is not escaped can be counted.
    assert (folder / "page.html").read_text(encoding="utf-8").count("| safe }}") == 3


def test_pictures_of_a_comparison_stand_side_by_side_until_a_script_shows_the_slider() -> None:
    shots = {"a": Shot("bicubic", picture(0)), "b": Shot(SHARP, picture(255))}
    comparison = Comparison("c", shots, SHARP, "Part:", 4, "a", "b")
    source = to_html(Document("d", "", (Section("s", (comparison,)),)))
    tree = Tree(source)
    assert [shot["alt"] for shot in tree.of("img") if shot.get("data-key")] == ["Part: bicubic", f"Part: {SHARP}"]
    assert all((shot.get("src") or "data:").startswith("data:") for shot in tree.of("img"))
    (slider,) = [one for one in tree.of("div") if one.get("class") == "slider"]
    assert "hidden" in slider
    (box,) = [one for one in tree.of("figure") if one.get("class") == "comparison"]
    assert (box["data-left"], box["data-right"]) == ("a", "b")
    (slide,) = [one for one in tree.of("input") if one.get("type") == "range"]
    assert slide["aria-label"]


def test_a_picture_is_packed_without_loss() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    smooth = np.stack([np.add.outer(np.arange(64), 2 * np.arange(64)).astype(np.uint8)] * 3, axis=-1)
    for pixels in (noise, smooth):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png")
        kind, _, text = page._data(file.getvalue()).partition(";base64,")
        assert kind in ("data:image/png", "data:image/webp")
        back = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))
        assert np.array_equal(back, pixels)


def test_a_page_loads_nothing_and_links_to_runs(whole: Store) -> None:
    source = (whole.folder / "out" / "report.html").read_text(encoding="utf-8")
    page = Page(source)
    assert page.loads and all(address.startswith("data:") for address in page.loads)
    client = MlflowClient(whole.uri)
    experiment = client.get_experiment_by_name("srcnn")
    assert experiment is not None
    runs = {run.info.run_id for run in client.search_runs([experiment.experiment_id])}
    known = {
        f"http://127.0.0.1:5000/#/experiments/{experiment.experiment_id}/runs/{run_id}?workflowType=machine_learning"
        for run_id in runs
    }
    outside = {link for link in page.links if not link.startswith("#")}
    assert outside == known
    assert "default-src 'none'" in source
    assert "Bokeh" not in source and len(source) < 1_000_000  # the library alone would have more
    assert len(re.findall(r'<figure id="figure-', source)) == 8
    assert all(f'id="{link[1:]}"' in source for link in page.links if link.startswith("#"))
