"""The files about the project agree with the code and with each other."""

from __future__ import annotations

import ast
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import srcnn
from srcnn.commands.main import COMMANDS, MODULES

from checkout import ROOT


@cache
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def declared(*lists: list[str]) -> set[str]:
    """Names of required distributions."""
    return {canonicalize_name(Requirement(line).name) for lines in lists for line in lines}


def imported(folder: str) -> set[str]:
    """Top-level packages that the modules of a folder import, wherever in the module; without the standard library's."""
    found: set[str] = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names)


def own_modules() -> set[str]:
    """Modules of the checkout that are imported without a package."""
    folders = (ROOT, ROOT / "docs", ROOT / "experiments", ROOT / "tests")
    return {path.stem for folder in folders for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}


def undeclared(packages: set[str], distributions: set[str]) -> list[str]:
    """Packages of which no distribution is declared."""
    known = packages_distributions()
    return sorted(
        package
        for package in packages - own_modules()
        if not {canonicalize_name(name) for name in known.get(package, [package])} & distributions
    )


def extras(*names: str) -> set[str]:
    """Names of the distributions that the package needs with these extras."""
    return declared(project()["dependencies"], *(project()["optional-dependencies"][name] for name in names))


def test_the_library_imports_nothing_of_the_platform() -> None:
    parts = [path.relative_to(ROOT).as_posix() for path in (ROOT / "srcnn").iterdir() if path.is_dir()]
    library = set(parts) - {"srcnn/tuning", "srcnn/export", "srcnn/__pycache__"}
    assert {"srcnn/data", "srcnn/commands"} < library
    assert undeclared(set().union(*map(imported, sorted(library))), extras()) == []


@pytest.mark.parametrize(
    ("folder", "names"),
    [("srcnn", ("search", "export")), ("experiments", ("search", "export", "dev"))],
)
def test_what_the_code_imports_is_declared(folder: str, names: tuple[str, ...]) -> None:
    assert undeclared(imported(folder), extras(*names)) == []


def test_every_module_of_an_extra_is_known_to_the_command() -> None:
    """A missing one is named with its extra; packages that only other packages use need no name."""
    known = packages_distributions()
    unknown = [
        module
        for module in imported("srcnn/tuning")
        if {canonicalize_name(name) for name in known.get(module, ())}
        & declared(project()["optional-dependencies"]["search"])
        and MODULES.get(module) != "search"
    ]
    assert unknown == []


def test_what_the_command_says_is_an_extra() -> None:
    assert {*MODULES.values(), *(entry.extra for entry in COMMANDS.values())} - {""} <= set(
        project()["optional-dependencies"]
    )


def test_what_the_tests_import_is_declared() -> None:
    known = declared(project()["dependencies"], *project()["optional-dependencies"].values())
    assert (
        undeclared(imported("tests"), known | {"grimp", "pydantic-core"}) == []
    )  # parts of import-linter and pydantic


def test_an_undeclared_import_is_found() -> None:
    assert undeclared({"yaml", "PIL", "numpy"}, {"pyyaml", "numpy"}) == ["PIL"]


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    loose = [
        line
        for line in (*project()["dependencies"], *project()["optional-dependencies"]["search"])
        if {specifier.operator for specifier in Requirement(line).specifier} != {">=", "<"}
    ]
    assert loose == []


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project()["version"] == srcnn.__version__ == str(citation["version"])


def test_the_license_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert project()["license"] == citation["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert project()["authors"] == [{"name": one["name"]} for one in citation["authors"]]


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(srcnn.__file__).parent / "py.typed").is_file()


def test_a_commit_is_checked_as_make_check_does() -> None:
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]  # nothing is fetched
    assert [hook["entry"] for repo in repos for hook in repo["hooks"]] == ["make check"]
