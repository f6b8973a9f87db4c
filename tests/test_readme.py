"""Every figure that the README and docs/explanation print is in a file, and every file of results says where it comes from."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from _bench.figures import FigureError, faults, look_up, render
from _bench.machine import ROOT
from _bench.provenance import header, header_faults, results_faults
from written_commands import commands_in

RESULTS = ROOT / "experiments" / "results"
HEADER = {"command": "python x.py", "commit": "0123abc", "machine": "m", "n": 3, "seed": 0}
TEXT = """\
# Title

| | worker | dB |
|---|---|---|
| ours, 9-1-5 at x3 | **79 core-s** [70, 91] | 32.44 |

It gains 0.30 dB
[0.15, 0.48] in 8 of 9 cases.
"""
LINES = [
    "| ours, 9-1-5 at x3 | **{rows[m=ours].t[0]|.0f} core-s** [{rows[m=ours].t[1]|.0f}, {rows[m=ours].t[2]|.0f}] | {p|.2f} |",
    "gains {gain[0]|.2f} dB [{gain[1]|.2f}, {gain[2]|.2f}] in",
]
DATA = {"rows": [{"m": "ours", "t": [79.4, 70.0, 91.0]}, {"m": "x"}], "p": 32.4449, "gain": [0.301, 0.15, 0.48]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "r.json").write_text(json.dumps(DATA), encoding="utf-8")
    return tmp_path


def pages() -> dict[str, str]:
    """Pages that print figures, by their path."""
    files = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs" / "explanation").glob("*.md"))]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}


def test_every_figure_of_the_readme_and_of_the_explanation_is_in_its_file() -> None:
    declared = yaml.safe_load((RESULTS / "figures.yaml").read_text(encoding="utf-8"))
    assert faults(ROOT, pages(), declared) == []


def test_a_figure_may_stand_in_any_page_and_in_several(root: Path) -> None:
    declared = {"figures": [{"file": "r.json", "lines": LINES}]}
    assert faults(root, {"a.md": "Nothing.\n", "b.md": TEXT, "c.md": TEXT}, declared) == []
    found = faults(root, {"a.md": TEXT, "b.md": "It is 1.5 dB.\n"}, declared)
    assert found == ["b.md: line 1: no file for 1.5 dB: It is 1.5 dB."]


def test_every_file_of_results_says_where_it_comes_from() -> None:
    assert results_faults(RESULTS) == []


#: Words of the README's first screen that a reader may not know, and how the text explains each at its first use.
EXPLAINED = {
    "SRCNN": "SRCNN, a small neural network published in 2014",
    "bicubic": "bicubic interpolation, the usual method of image programs",
    "dB": "decibels (dB); higher is better",
    "Set5": "five photographs called Set5",
    "x2": "enlarged two, three and four times (x2, x3, x4)",
    "x3": "enlarged two, three and four times (x2, x3, x4)",
    "x4": "enlarged two, three and four times (x2, x3, x4)",
    "95 %": "in brackets the range in which the true mean lies with 95 % confidence",
}
#: Words of the field and of this project that the first screen must not use, besides those of the glossary.
UNEXPLAINED = (
    *(
        "PSNR",
        "SSIM",
        "GPU",
        "CPU",
        "Ray",
        "Optuna",
        "MLflow",
        "Tune",
        "hyperparameter",
        "filter",
        "kernel",
        "learning rate",
        "seed",
        "T91",
    ),
    *(
        "Set14",
        "9-1-5",
        "residual",
        "sub-pixel",
        "tile",
        "parity",
        "baseline",
        "batch",
        "layer",
        "loss",
        "optimizer",
        "Muon",
        "sampler",
    ),
)


def first_screen(text: str) -> str:
    """The README up to its second heading, without pictures, links and code."""
    shown = text.split("\n## ")[0].split("\n", 4)[4]
    return " ".join(re.sub(r"!\[[^\]]*\]\([^)]*\)|https?://\S+|`[^`]*`", "", shown).split())


def test_the_first_screen_uses_no_word_before_it_is_explained() -> None:
    """The list of such words is empty."""
    shown = first_screen((ROOT / "README.md").read_text(encoding="utf-8"))
    early = [word for word, text in EXPLAINED.items() if not 0 <= shown.find(text) <= shown.find(word)]
    glossary = re.findall(
        r"^\| ([a-z][^|(,]+?) [|(,]", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    ordinary = {
        "word",
        "card",
        "search",
        "network",
        "training",
        "image",
        "step",
        "run",
        "table",
        "event",
        "large image",
        "report",
    }
    assert len(glossary) > 60
    unknown = {
        word
        for word in {*glossary, *UNEXPLAINED} - ordinary - set(EXPLAINED)
        if re.search(rf"\b{re.escape(word)}s?\b", shown)
    }
    assert (early, unknown) == ([], set())


def test_the_first_screen_is_one_picture_one_small_table_and_two_commands() -> None:
    shown = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")[0]
    assert shown.count("![") == 1
    assert len(re.findall(r"^\| x\d", shown, re.MULTILINE)) == len(re.findall(r"^\|", shown, re.MULTILINE)) - 2 <= 4
    assert len([one for one in commands_in(shown) if not one.named]) == 2
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def parts(text: str) -> dict[str, list[str]]:
    """What two languages must have in common: commands, figures, links, pieces of code, headings and tables."""
    unwrapped = re.sub(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n(?=[\u3000-\u9fff])", "", text)
    numbers = re.sub(r"`[^`\n]*`|\]\([^)]*\)|https?://\S+", "", unwrapped)
    return {
        "commands": [one.text for one in commands_in(text) if not one.named],
        "figures": sorted(re.findall(r"[-+]?\d+\.\d+|(?<![\w.-])\d{2,}(?![\w.])", numbers)),
        "links": [link.replace(".zh.md", ".md") for link in re.findall(r"\]\(([^)]*)\)", text)],
        "code": sorted(code for code in re.findall(r"`([^`\n]+)`", text)),
        "headings": [line.split()[0] for line in text.splitlines() if re.match(r"#+ ", line)],
        "rows": [line.split("|")[1].strip() for line in text.splitlines() if re.match(r"\| x\d", line)],
    }


@pytest.mark.parametrize("part", ["commands", "figures", "links", "code", "headings", "rows"])
def test_the_readme_in_chinese_says_the_same(part: str) -> None:
    english, chinese = (
        parts((ROOT / name).read_text(encoding="utf-8"))[part] for name in ("README.md", "README.zh.md")
    )
    assert english
    assert chinese == english


def test_a_difference_between_the_languages_is_found() -> None:
    text = (ROOT / "README.zh.md").read_text(encoding="utf-8")
    assert parts(text.replace("36.66", "36.67"))["figures"] != parts(text)["figures"]
    assert parts(text.replace("--scale 2", "--scale 4"))["commands"] != parts(text)["commands"]
    assert parts(text.replace("docs/models.md", "docs/gpu.md"))["links"] != parts(text)["links"]


def test_a_text_whose_figures_are_in_its_file_has_no_fault(root: Path) -> None:
    assert faults(root, TEXT, {"figures": [{"file": "r.json", "lines": LINES}]}) == []


@pytest.mark.parametrize(
    ("was", "now", "line"),
    [("79 core-s", "78 core-s", 5), ("[70, 91]", "[70, 92]", 5), ("32.44", "32.45", 5), ("0.15,", "0.16,", 7)],
)
def test_a_wrong_figure_is_a_fault(root: Path, was: str, now: str, line: int) -> None:
    found = faults(root, TEXT.replace(was, now), {"figures": [{"file": "r.json", "lines": LINES}]})
    assert any("the files say" in fault for fault in found)
    assert any(fault.startswith(f"line {line}:") for fault in found)


def test_a_figure_without_a_file_is_a_fault_that_names_its_line(root: Path) -> None:
    found = faults(root, TEXT, {})
    assert found[0].startswith("line 5: no file for 79 core-s [70, 91], 79, 70, 91, 32.44: | ours, 9-1-5 at x3 |")
    assert found[1:] == ["line 7: no file for 0.30 dB [0.15, 0.48]: It gains 0.30 dB"]
    owing = faults(root, TEXT, {"undeclared": ["It gains", "ours, 9-1-5", "long gone"]})
    assert owing == ["undeclared: 'long gone' owes nothing any more"]


def test_names_with_numbers_and_plain_counts_in_prose_are_no_figures(root: Path) -> None:
    assert (
        faults(root, "Set5 at x3 with 9-1-5 (64-32) and 144 of 200 in 2026, 95 %.\n\n| x3 | Set5, 9-5-5 |\n", {}) == []
    )
    assert faults(root, "| x | 144 |\n", {}) == ["line 1: no file for 144: | x | 144 |"]


def test_a_list_of_decibels_is_one_figure_over_the_end_of_a_line(root: Path) -> None:
    (fault,) = faults(root, "It gives 37.06, 32.93\nand 30.52 dB.\n", {})
    assert fault == "line 1: no file for 37.06, 32.93 and 30.52 dB: It gives 37.06, 32.93"


def test_a_figure_that_is_written_out_needs_a_printed_source(root: Path) -> None:
    group = {"file": "r.json", "lines": ["| paper | 32.75 dB | {p|.2f} |"]}
    text = "| paper | 32.75 dB | 32.44 |\n"
    assert any("32.75 is written out" in fault for fault in faults(root, text, {"figures": [group]}))
    assert faults(root, text, {"figures": [{**group, "printed": "TPAMI 2016"}]}) == []


def test_places_in_every_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('row,ours [95 %]\n9-1-5,"32.23 [32.19, 32.26]"\n', encoding="utf-8")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b'# {"n": 1}\nrow,x\na,1.25\n'))
    (tmp_path / "t.yaml").write_text("rows: [{name: a, psnr: {Set5/x3: 36.34}}]\n", encoding="utf-8")
    assert render(tmp_path, {"file": "t.csv"}, "{[row=9-1-5]['ours [95 %]']|s}!") == "32.23 [32.19, 32.26]!"
    assert render(tmp_path, {"file": "t.csv"}, "{[row=9-1-5]['ours [95 %]']#1|.1f}") == "32.2"
    assert render(tmp_path, {"file": "t.csv"}, "{t.csv.gz#[row=a].x|.1f}") == "1.2"
    assert render(tmp_path, {"file": "t.csv.gz"}, "{[row=a].x|.0 %}") == "125 %"
    assert render(tmp_path, {"file": "t.yaml", "at": "rows"}, "{[name=a].psnr.Set5/x3|.2f}") == "36.34"
    with pytest.raises(FigureError, match="there is no such file"):
        render(tmp_path, {"file": "none.json"}, "{a|s}")
    with pytest.raises(FigureError, match=r"must be one element, but 0"):
        look_up([{"a": 1}], "[a=2]")
    with pytest.raises(FigureError, match=r"there is no \.b"):
        look_up({"a": {}}, "a.b")
    with pytest.raises(FigureError, match="cannot be printed as"):
        render(tmp_path, {"file": "t.csv"}, "{[row=9-1-5]|.2f}")


@pytest.mark.parametrize("name", ["command", "commit", "machine", "n", "seed"])
def test_a_file_of_results_without_its_header_is_a_fault(tmp_path: Path, name: str) -> None:
    rest = {key: value for key, value in HEADER.items() if key != name}
    (tmp_path / "a.json").write_text(json.dumps({"provenance": rest, "x": 1}), encoding="utf-8")
    (tmp_path / "b.csv").write_text(f"# {json.dumps(rest)}\nx\n1\n", encoding="utf-8")
    (tmp_path / "c.csv").write_text("x\n1\n", encoding="utf-8")
    (tmp_path / "provenance.yaml").write_text(yaml.safe_dump({"c.*": rest}), encoding="utf-8")
    found = results_faults(tmp_path)
    assert [fault.split(":")[0] for fault in found] == ["a.json", "b.csv", "c.csv"]
    assert all(fault.endswith(f"{name}: is missing") for fault in found)


def test_headers_in_the_file_by_section_and_beside_it_are_found(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.json").write_text(json.dumps({"provenance": {"train": HEADER, "scale": HEADER}}), encoding="utf-8")
    (tmp_path / "sub" / "b.csv").write_text("x\n1\n", encoding="utf-8")
    (tmp_path / "c.json").write_text("[]", encoding="utf-8")
    (tmp_path / "provenance.yaml").write_text(yaml.safe_dump({"sub/*.csv": HEADER, "d.*": HEADER}), encoding="utf-8")
    assert results_faults(tmp_path) == [
        "c.json: must have a header with its provenance (command, commit, machine, n, seed)",
        "provenance.yaml: d.*: there is no such file",
    ]


@pytest.mark.parametrize("commit", ["0123abc+changes", "unknown", "main"])
def test_a_commit_that_cannot_be_checked_out_is_a_fault(commit: Any) -> None:
    assert header_faults(HEADER) == []
    assert header_faults({**HEADER, "commit": commit})


def test_the_header_of_a_command() -> None:
    made = header("replay.py", ["--tables", f"{ROOT}/experiments/results/grid-x3.csv.gz", "--seed", "0"], 100, 0)
    assert made["command"] == "python experiments/replay.py --tables experiments/results/grid-x3.csv.gz --seed 0"
    assert (made["n"], made["seed"]) == (100, 0)
    assert set(header_faults(made)) <= {f for f in header_faults(made) if f.startswith("commit")}
