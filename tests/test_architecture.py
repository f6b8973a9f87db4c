"""docs/architecture.md agrees with the contracts in pyproject.toml and with the imports in the code."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import NamedTuple

import grimp
import pytest

from checkout import ROOT

LIBRARIES = ("torch", "ray", "optuna", "mlflow", "bokeh", "PIL")


class Map(NamedTuple):
    """The drawn map."""

    layers: list[set[str]]  #: from the top; packages without the prefix ``srcnn.``
    arrows: set[tuple[str, str]]  #: importing package, imported package


@cache
def document() -> str:
    return (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def parse(text: str) -> Map:
    """Read the first Mermaid block: subgraphs that hold packages are layers, ``tuning_driver`` is srcnn.tuning.driver."""
    block = re.search(r"```mermaid\n(.*?)```", text, re.DOTALL)
    assert block is not None, "there is no map"
    layers: list[set[str]] = []
    arrows: set[tuple[str, str]] = set()
    for line in map(str.strip, block[1].splitlines()):
        if line.startswith("subgraph"):
            layers.append(set())
        elif match := re.fullmatch(r"(\w+)\[.*\]", line):
            layers[-1].add(dotted(match[1]))
        elif "-->" in line:
            source, targets = line.split("-->")
            arrows |= {(dotted(source), dotted(target)) for target in targets.split("&")}
        else:
            assert line in ("", "end", "flowchart TB") or line.startswith("direction"), line
    return Map([layer for layer in layers if layer], arrows)


def dotted(name: str) -> str:
    return re.sub("^tuning_", "tuning.", name.strip())


def contract_layers() -> list[set[str]]:
    """The layers of both contracts as one list, ``tuning`` replaced by its own."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    by_container = {c["containers"][0]: c["layers"] for c in contracts if "containers" in c}

    def read(container: str, prefix: str) -> list[set[str]]:
        return [{prefix + name.strip() for name in re.split("[|:]", layer)} for layer in by_container[container]]

    layers = read("srcnn", "")
    at = layers.index({"tuning"})
    return layers[:at] + read("srcnn.tuning", "tuning.") + layers[at + 1 :]


def package_of(module: str) -> str:
    """The package on the map that a module lies in; empty for srcnn and srcnn.tuning themselves."""
    parts = module.split(".")[1:]
    return (
        ".".join(parts[:2]) if parts[:1] == ["tuning"] and len(parts) > 1 else "".join(parts[:1]).replace("tuning", "")
    )


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("srcnn", include_external_packages=True, cache_dir=None)


@cache
def imports() -> frozenset[tuple[str, str]]:
    """Imports between packages."""
    pairs = {
        (package_of(module), package_of(imported))
        for module in graph().modules
        for imported in graph().find_modules_directly_imported_by(module)
        if module.startswith("srcnn.") and imported.startswith("srcnn.")
    }
    return frozenset((a, b) for a, b in pairs if a and b and a != b)


def packages() -> set[str]:
    return {package_of(module) for module in graph().modules if module.startswith("srcnn.")} - {""}


def below(package: str, arrows: set[tuple[str, str]]) -> set[str]:
    """Every package that arrows lead to, over others too."""
    found: set[str] = set()
    todo = [package]
    while todo:
        at = todo.pop()
        new = {b for a, b in arrows if a == at} - found
        found |= new
        todo += new
    return found


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    _, _, rest = document().partition(f"\n## {heading}\n")
    assert rest, f"there is no section {heading!r}"
    lines = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def named_packages(cell: str) -> set[str]:
    return {name.removeprefix("srcnn.") for name in re.findall(r"`(srcnn\.[\w.]+)`", cell)}


def test_the_map_has_the_layers_of_the_contracts() -> None:
    drawn = parse(document()).layers
    assert [layer for layer in drawn if layer] == contract_layers()


def test_the_map_has_every_package_and_no_other() -> None:
    drawn = set().union(*parse(document()).layers)
    assert drawn == packages()


def test_every_import_between_packages_follows_the_arrows() -> None:
    arrows = parse(document()).arrows
    missing = sorted(f"{a} --> {b}" for a, b in imports() if b not in below(a, arrows))
    assert not missing, "imported in the code, and no way on the map leads there"


def test_every_arrow_is_an_import_and_points_down() -> None:
    drawn = parse(document())
    height = {package: -i for i, layer in enumerate(drawn.layers) for package in layer}
    upward = [(a, b) for a, b in drawn.arrows if height[b] > height[a]]
    assert not upward
    invented = {(a, b) for a, b in drawn.arrows - imports()}
    assert not invented, "drawn, but no module imports it"
    circles = [package for package in height if package in below(package, drawn.arrows)]
    assert not circles


def test_the_table_of_packages_is_complete() -> None:
    rows = table("Packages")
    named = [name for row in rows for name in named_packages(row[0])]
    assert set(named) == packages()
    assert len(named) == len(set(named))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_only_where_the_document_says(library: str) -> None:
    row = next(row for row in table("What may import what") if f"`{library}`" in row[0])
    allowed = named_packages(row[1])
    assert allowed <= packages()
    importing = {package_of(m) for m in graph().find_modules_that_directly_import(library)}
    assert importing == allowed


def test_a_wrong_map_is_noticed() -> None:
    text = '```mermaid\nflowchart TB\n subgraph one ["x"]\n  tuning_whole_search["search"]\n end\n subgraph two\n  b["b"]\n end\n'
    found = parse(f"{text} tuning_whole_search --> b & c\n```")
    assert found == Map([{"tuning.whole_search"}, {"b"}], {("tuning.whole_search", "b"), ("tuning.whole_search", "c")})
    assert below("a", {("a", "b"), ("b", "c"), ("d", "a")}) == {"b", "c"}
