"""How the pages of docs/ are made: the reference from the code, the map of packages; every page can be found and left."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from srcnn.commands.main import COMMANDS
from srcnn.config.training import TrainConfig
from srcnn.tuning.paper.table import Claim, Table

import command_reference
import field_reference
import layer_picture
from checkout import ROOT
from command_reference import described, parsed, parser_of

DOCS = ROOT / "docs"
PAGES = sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md"))


def options_of(name: str) -> set[str]:
    return {option for action in parser_of(name)._actions for option in action.option_strings} - {"-h", "--help"}


class App:
    """What the functions use of Sphinx."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.env = SimpleNamespace(note_dependency=self.noted.append)


@pytest.mark.parametrize("name", [*COMMANDS, "replay", "record", "bench", "soak"])
def test_the_reference_of_a_command_has_every_flag(name: str) -> None:
    text = described(name)
    assert text.startswith(f"## {name}\n")
    absent = {option for option in options_of(name) if not re.search(rf"`{re.escape(option)}[` ]", text)}
    assert absent == set()
    assert "%(" not in text


def test_subcommands_and_defaults_are_described() -> None:
    text = described("data")
    assert "`fetch`" in text
    assert "`overlap`" in text
    assert "(default: 8M)" in described("search")
    assert "```bash\npython experiments/search.py --trials 50\n" in described("search")


def test_the_page_of_commands_has_them_all_and_is_read_again_when_one_changes() -> None:
    app = App()
    content = [(DOCS / "reference" / "commands.md").read_text(encoding="utf-8")]
    command_reference.insert(app, "reference/commands", content)
    assert re.findall(r"^## (\w+)$", content[0], re.MULTILINE) == [*COMMANDS]
    assert any(file.endswith("commands/search.py") for file in app.noted)
    assert any(file.endswith("planning/settings.py") for file in app.noted)


def test_a_page_without_marks_stays() -> None:
    content = ["# Title\n"]
    command_reference.insert(App(), "x", content)
    field_reference.insert(App(), "x", content)
    layer_picture.insert(App(), "x", content)
    assert content == ["# Title\n"]


def test_a_command_line_is_read_and_nothing_runs() -> None:
    assert parsed("search", ["--trials", "7"]).trials == "7"
    with pytest.raises(SystemExit):
        parsed("search", ["--trails", "7"])


def test_tables_of_fields_are_made_from_the_classes() -> None:
    text = field_reference.table(TrainConfig)
    assert "| `kernels` | `9-1-5` | kernel size of each layer" in text
    assert text.count("\n") == len(TrainConfig.model_fields) + 1
    assert "| `title` | required |" in field_reference.table(Table)
    assert "| `margin` | `0` |" in field_reference.table(Claim)
    app, content = App(), ["<!-- fields: srcnn.config.training.TrainConfig -->"]
    field_reference.insert(app, "x", content)
    assert content == [text]
    assert [Path(file).name for file in app.noted] == ["training.py"]


def test_the_map_of_packages_is_drawn_whole() -> None:
    content = [(DOCS / "architecture.md").read_text(encoding="utf-8")]
    fence = re.search(r"```mermaid\n(.*?)```", content[0], re.DOTALL)
    assert fence is not None
    layers = layer_picture.read(fence[1])
    boxes = [name for _, row in layers.rows for name, _ in row]
    assert {"commands", "errors", "tuning_driver"} <= set(boxes)
    assert len(layers.arrows) > 40
    assert {name for arrow in layers.arrows for name in arrow} <= set(boxes)
    layer_picture.insert(App(), "architecture", content)
    assert "```mermaid" not in content[0]
    assert content[0].count("<rect ") == len(boxes)
    assert content[0].count("<line ") == len(layers.arrows)


def links(page: str) -> set[str]:
    """Pages that a page links to, beside those of a hidden list."""
    text = re.sub(r"```\{toctree\}.*?```", "", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+\.md)(?:#[^)]*)?\)", text)
    return {
        path.relative_to(DOCS).as_posix()
        for target in targets
        if (path := (DOCS / page).parent.joinpath(target).resolve()).is_relative_to(DOCS)
    } - {page}


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_a_dead_end(page: str) -> None:
    assert links(page), "the page links to no other page"


def test_every_page_is_reached_from_the_first() -> None:
    reached, open_ = {"index.md"}, ["index.md"]
    while open_:
        new = links(open_.pop()) - reached
        reached |= new
        open_ += new
    assert sorted(set(PAGES) - reached) == []
