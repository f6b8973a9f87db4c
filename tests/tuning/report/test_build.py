"""A report says what the store holds, in files that need nothing else; real MLflow stores, without Ray."""

from __future__ import annotations

import csv
import importlib
import re
import shutil
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from mlflow.tracking import MlflowClient
from PIL import Image

from srcnn.errors import DataError, SearchError
from srcnn.tuning.report.build import build
from srcnn.tuning.report.data.importance import FEWEST, importances
from srcnn.tuning.report.data.search_data import find_parent, gather
from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Cell, Document, Figure, Section, Table, Text
from srcnn.tuning.report.document.write import to_csv, to_latex, to_markdown, write
from srcnn.tuning.report.figures.style import log_ticks, new_figure, shades, to_png
from srcnn.tuning.report.sections.search_report import search_document
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.intervals import Interval
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, Lead, ScaleVerdict, SeedFigures, verdicts_json

from checkout import EXPERIMENTS

SPACE = """\
parameters:
  n1: {type: categorical, choices: [8, 16]}
  kernels: {type: categorical, choices: [5-1-3, 5-3-3]}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-3, log: true}
  scale: {type: categorical, choices: [2, 3]}
"""
DATASET = {"name": "T91", "digest": "abc", "images": "9"}
VERDICT = ScaleVerdict(
    scale=3,
    ranked=(
        ConfirmedConfiguration(
            "trial 9",
            "9",
            reference=False,
            chose=(SeedFigures(8, "c8", 1.78), SeedFigures(9, "c9", 1.79)),
            judged=(SeedFigures(10, "c10", 1.58, {"Set5": 32.10}), SeedFigures(11, "c11", 1.59, {"Set5": 32.30})),
            gain=Interval(1.585, 1.2, 1.9),
        ),
    ),
    validation_images=9,
    judging_images=10,
    leads=(Lead(None, Interval(0.006, -0.01, 0.02)),),
)
HOSTILE = r"a|b_c <script>alert('x')</script> & 50% #1 $x$ `y` **z** ![p](http://h/p.png) \ end"


class Store:
    """A store in a folder, and a search that is written as a real one writes it."""

    def __init__(self, folder: Path) -> None:
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.tracker = Tracker(self.uri, folder / "artifacts")
        self.folder = folder

    def open(self, name: str, **params: str) -> None:
        space = self.folder / "space.yaml"
        space.write_text(SPACE, encoding="utf-8")
        tags = {
            "mlflow.source.git.commit": "0123456789abcdef",
            "data.train": "T91",
            "data.digest": "abc",
            "device": "CPU",
            "version.torch": "2.11",
        }
        settings = {"trials": "9", "budget": "9000000.0", "seed": "7", "sampler": "tpe", "space": str(space), **params}
        self.tracker = Tracker(self.uri, self.folder / "artifacts")
        self.tracker.open_search(name, tags, settings)

    def trial(
        self,
        key: str,
        gains: list[float],
        outcome: str | None = Outcome.FINISHED,
        stage: str = "search",
        name: str | None = None,
        **params: object,
    ) -> None:
        fields = {"n1": 8, "kernels": "5-1-3", "learning_rate": 5e-4, "scale": 3, "filters": "8-8", "seed": 7, **params}
        reference = str(key == "paper")
        name = name or f"trial {key}"
        self.tracker.start_trial(key, name, fields, {"stage": stage, "reference": reference}, DATASET)
        for epoch, gain in enumerate(gains, start=1):
            best = max(gains[:epoch])
            figures = {"val_gain": gain, "objective": gain / 2, "pixels": 1e6 * epoch, "train_seconds": 2.0 * epoch}
            self.tracker.log_epoch(key, epoch, {**figures, "best/val_gain": best, "best/objective": best / 2})
        if outcome is not None:
            failure = {"failure": "DeadNetworkError: a_b died | at step 3"} if outcome == "failed" else {}
            status = "FAILED" if outcome == Outcome.FAILED else "FINISHED"
            self.tracker.end_trial(key, status, {"outcome": outcome, **failure})

    def document(self, name: str | None = None) -> Document:
        return build(self.uri, find_parent(self.uri, name), "http://127.0.0.1:5000")

    def write(self, name: str | None = None) -> Path:
        write(self.document(name), self.folder / "out")
        return self.folder / "out"


@pytest.fixture
def store(tmp_path: Path, empty: Path) -> Store:
    shutil.copy(empty, tmp_path)
    return Store(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Store:
    """A search that ended well, and its report."""
    store = Store(tmp_path_factory.mktemp("whole"))
    shutil.copy(empty, store.folder)
    a_whole_search(store)
    store.write()
    return store


def a_whole_search(store: Store) -> None:
    store.open("whole")
    store.trial("paper", [0.5, 0.8, 1.0])
    for i in range(10):
        kernels, n1 = ("5-3-3" if i % 2 else "5-1-3"), (16 if i % 3 else 8)
        gain = 1.0 + 0.3 * (i % 2) + 0.01 * i
        store.trial(str(i), [0.5, 0.7, gain], kernels=kernels, n1=n1, learning_rate=2e-4 + 5e-5 * i)
    store.trial("weak", [-3.0, 0.2], "stopped", learning_rate=9e-4)
    store.trial("dead", [], "failed")
    for seed in (8, 9, 10, 11):
        stage = "confirm" if seed < 10 else "judge"
        store.trial(f"c{seed}", [1.0, 1.5 + seed / 100], stage=stage, name=f"trial 9 seed {seed}", seed=seed)
    store.tracker.log_text(SPACE, "space.yaml")
    store.tracker.log_text(verdicts_json([VERDICT]), "verdicts.json")
    store.tracker.note("x3: this sentence is for people, and no report reads it")
    store.tracker.close_search("FINISHED")


class Page(HTMLParser):
    """What a browser would load, and what it shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._quiet = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._quiet += tag in ("script", "style")
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster", "action") or (name == "href" and tag != "a"):
                self.loads.append(value or "")
            elif name == "href":
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.text += data


def table_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_a_whole_search(whole: Store) -> None:
    folder = whole.folder / "out"
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "**trial 9** gains 1.585 dB [95 %: 1.200 to 1.900, over seeds and images]" in text
    assert "32.20 dB on Set5, means of 2 seeds that took no part in the choice" in text
    for sentence in VERDICT.sentences():
        assert f"- {escape.markdown(sentence)}." in text
    assert "for people" not in text
    assert "- 1 of: DeadNetworkError: a\\_b died \\| at step 3" in text
    assert (
        "n = 13 trials (11 finished, 1 stopped, 1 failed); budget 9 million training pixels; commit 0123456789" in text
    )
    champions = table_rows(folder / "tables" / "champions-x3.csv")
    assert champions[0]["validation gain (dB)"] == "1.785"
    assert champions[0]["gain (dB)"] == "1.585"
    assert champions[0]["Set5 PSNR (dB)"] == "32.20"
    board = table_rows(folder / "tables" / "leaderboard-x3.csv")
    assert [row["outcome"] for row in board] == [Outcome.FINISHED] * 11 + [Outcome.STOPPED, Outcome.FAILED]
    assert [row["configuration"] for row in board][:2] == ["trial 9", "trial 7"]
    assert board[0]["gain (dB)"] == "1.390" and board[0]["parameters"] == "865" and board[-1]["gain (dB)"] == "–"
    for name in ("curves-x3", "importance", "parallel"):
        with Image.open(folder / "pictures" / f"{name}.png") as picture:
            assert 900 <= picture.width <= 1000
        assert f"](pictures/{name}.png)" in text


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


def test_importances_find_what_matters(whole: Store) -> None:
    data = gather(whole.uri, find_parent(whole.uri))
    found = importances(data.space, data.children)
    assert found.method == "fANOVA" and found.count == 11
    assert next(iter(found.shares)) == "kernels"
    assert sum(found.shares.values()) == pytest.approx(1)


def test_a_search_of_an_earlier_version(store: Store) -> None:
    """It kept its verdicts in the note and in cells of a table alone: the report says so, and reads neither."""
    store.open("old", objectives="('gain', 'macs')")
    store.trial("a", [0.5, 0.6])
    store.trial("b", [0.5, 0.7], stage="confirm", name="trial a seed 124", seed=124)
    store.tracker.note("x3: a was chosen by 1 new seed on 9 validation images")
    store.tracker.log_text("scale,place,configuration\n3,1,trial a seed 124\n", "confirmed.csv")
    store.tracker.close_search("FINISHED")
    text = (store.write() / "report.md").read_text(encoding="utf-8")
    assert "what it found was not kept as data" in text and "was chosen by" not in text
    assert "others, if there were any, were not kept as data" in text


def test_a_search_without_a_trial(store: Store) -> None:
    store.open("empty")
    text = (store.write() / "report.md").read_text(encoding="utf-8")
    assert "The search has not ended" in text and "There is no trial yet." in text
    source = (store.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "Bokeh" not in source and len(source) < 20_000


def test_one_trial_and_equal_trials(store: Store) -> None:
    store.open("one")
    store.trial("a", [0.5, 0.6])
    text = (store.write() / "report.md").read_text(encoding="utf-8")
    assert f"Importances need {FEWEST} finished trials, but 1 trial finished." in text
    assert "Too few trials to compare parameters in a picture." in text
    assert "one seed, the best of many, so partly luck" in text
    for i in range(FEWEST):
        store.trial(str(i), [0.5, 0.6], n1=8 + 8 * (i % 2))
    text = (store.write() / "report.md").read_text(encoding="utf-8")
    assert "finished trials have one and the same gain: nothing to explain." in text


def test_nothing_but_failures(store: Store) -> None:
    store.open("dead")
    for i in range(3):
        store.trial(str(i), [], "failed")
    store.tracker.close_search("FAILED")
    text = (store.write() / "report.md").read_text(encoding="utf-8")
    assert "The search failed before its end" in text and "x3: no trial finished." in text
    assert "- 3 of: DeadNetworkError" in text and "so there are no curves" in text


def test_a_search_that_never_ended_and_whose_space_is_gone(store: Store) -> None:
    store.open("cut")
    store.trial("a", [0.5, 0.6])
    store.trial("b", [0.4], None)
    store.tracker.close_search("KILLED")
    (store.folder / "space.yaml").unlink()
    folder = store.write()
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "The search was cut short" in text and "kept no space" in text
    assert [row["outcome"] for row in table_rows(folder / "tables" / "leaderboard-x3.csv")] == [
        "finished",
        "interrupted",
    ]


def test_several_objectives_and_scales(store: Store) -> None:
    store.open("front", objectives='["gain", "macs", "latency"]')
    sizes: Mapping[str, tuple[float, int, int]] = {"small": (0.5, 8, 3), "large": (0.9, 16, 3), "beaten": (0.4, 16, 3)}
    for name, (gain, n1, scale) in {**sizes, "other": (0.3, 16, 2)}.items():
        store.trial(name, [gain / 2, gain], n1=n1, filters=f"{n1}-8", scale=scale)
        store.tracker.log_figures(name, {"latency_ms": float(n1)})
    store.tracker.close_search("FINISHED")
    folder = store.write()
    rows = table_rows(folder / "tables" / "front.csv")
    assert [row["configuration"] for row in rows] == ["trial other", "trial large", "trial small"]
    assert rows[1]["multiply-accumulates a pixel"] == f"{25 * 16 + 16 * 8 + 9 * 8}"
    assert (folder / "pictures" / "front-macs.png").exists() and (folder / "pictures" / "front-latency.png").exists()
    assert (folder / "tables" / "leaderboard-x2.csv").exists()


def test_the_newest_is_reported_and_an_unknown_kind_is_refused(store: Store) -> None:
    store.open("first")
    store.tracker.close_search("FINISHED")
    store.open("second")
    assert store.document().title == "Search second"
    assert store.document("first").title == "Search first"
    store.tracker.client.set_tag(store.tracker.parent_id, "srcnn.kind", "searhc")
    with pytest.raises(SearchError, match="kind of report 'searhc' does not exist; did you mean 'search'"):
        store.document()


def test_links_of_a_server_are_its_own(store: Store) -> None:
    store.open("a")
    data = gather(store.uri, find_parent(store.uri), "https://there:1/")
    assert data.link("r") == f"https://there:1/#/experiments/{data.experiment_id}/runs/r"
    assert search_document(data).tables == ()


def hostile() -> Document:
    table = Table("t", ("a_b", "50 %"), ((Cell(HOSTILE), Cell("1", "javascript:alert(1)", True)),), HOSTILE)
    figure = Figure("f", to_png(new_figure(1.0)), HOSTILE, HOSTILE)
    text = Text(f"- {escape.markdown(HOSTILE)}\n- {escape.code('a`b')}\n- <b>raw</b> ![p](http://h/p.png)")
    return Document(HOSTILE, HOSTILE, (Section(HOSTILE, (text, table, figure)),))


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    files = write(hostile(), tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in files} == {
        "report.md",
        "report.html",
        "pictures/f.png",
        "tables/t.csv",
        "tables/t.tex",
    }
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1 and "b" not in page.tags  # the page's own
    assert all(load.startswith("data:") for load in page.loads)
    assert not [link for link in page.links if link.startswith("javascript")]
    assert page.text.count(HOSTILE) == 9  # title twice, subtitle, contents, heading, text, cell, two captions


def test_markdown_of_names_reads_back() -> None:
    shown = Page(MarkdownIt("commonmark").enable("table").render(to_markdown(hostile())))
    assert HOSTILE in shown.text and "script" not in shown.tags
    for name in ("# a", "1. a", "- a", "a | b", "x_y_z", "&amp;", "a\nb"):
        assert Page(MarkdownIt("commonmark").render(escape.markdown(name))).text.strip() == name.replace("\n", " ")


def test_csv_and_latex() -> None:
    rows = tuple((Cell(f"n_{i}", "http://h/r", i == 0), Cell(f"{i} ± 1 – 2")) for i in range(3))
    table = Table("t", ("name", "50 % & #1"), rows, "a $ {b} ~ ^ \\ c", shown=2)
    assert to_csv(table) == "name,50 % & #1\nn_0,0 ± 1 – 2\nn_1,1 ± 1 – 2\nn_2,2 ± 1 – 2\n"
    tex = to_latex(table)
    assert r"\caption{a \$ \{b\} \textasciitilde{} \textasciicircum{} \textbackslash{} c}" in tex
    assert r"name & 50 \% \& \#1 \\" in tex and r"\begin{tabular}{lr}" in tex
    assert r"{}\textbf{n\_0} & 0 $\pm$ 1 -- 2 \\" in tex
    assert "n\\_2" not in tex and "http" not in tex
    for rule in ("toprule", "midrule", "bottomrule"):
        assert tex.count(f"\\{rule}") == 1


def test_documents_are_checked() -> None:
    table = Table("t", ("a",), ())
    with pytest.raises(ValueError, match="table t: stands 2 times"):
        Document("d", "", (Section("s", (table, table)),))
    with pytest.raises(ValueError, match="a name becomes a file's"):
        Table("../t", ("a",), ())
    with pytest.raises(ValueError, match="has 1 columns, but a row has 2 cells"):
        Table("t", ("a",), ((Cell("1"), Cell("2")),))


def test_pictures_are_the_same_again() -> None:
    def draw() -> bytes:
        figure = new_figure(2.0)
        figure.add_subplot().plot([1, 2], [3, 4])
        return to_png(figure)

    assert draw() == draw()
    assert len(set(shades([1.0, 2.0, 3.0]))) == 3 and shades([1.0]) == [shades([1.0, 2.0])[0]]


def test_marks_of_logarithmic_axes() -> None:
    assert log_ticks(300, 6000) == {500: "500", 1000: "1k", 2000: "2k", 5000: "5k"}
    assert list(log_ticks(1, 1e9).values()) == ["1", "10", "100", "1k", "10k", "100k", "1M", "10M", "100M", "1G"]
    assert log_ticks(0.6, 0.7) == {0.6: "0.6"}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be written"):
        write(Document("d", "", ()), tmp_path / "file")


def test_the_command(store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    monkeypatch.chdir(store.folder)
    main = importlib.import_module("report").main
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
