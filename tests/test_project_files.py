"""The files about the project agree with the code and with each other."""

from __future__ import annotations

import ast
import re
import subprocess
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

from artefacts import SUMS, pins, related, write_sums
from checkout import ROOT
from lock import LOCK, TOOLS_LOCK, entries, name_of, version_of, without_torch
from lowest import bounds, too_low

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SUM = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


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
    folders = (ROOT, ROOT / "docs", ROOT / "experiments", ROOT / "release", ROOT / "tests")
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


def recipe(target: str) -> str:
    """The lines of a target of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (lines,) = re.findall(rf"^{re.escape(target)}: .*\n((?:\t.*\n)+)", text, re.MULTILINE)
    return str(lines)


def test_slow_tests_are_left_out_by_make_test_alone() -> None:
    assert '-m "not slow"' in recipe("test")
    assert "slow" not in recipe("test-all")
    assert "$(COVERAGE)" in recipe("test-all")  # the floor is that of the whole suite
    for file in (ROOT / ".ci" / "run", ROOT / ".github" / "workflows" / "ci.yml"):
        assert "make test-all" in file.read_text(encoding="utf-8")
    for name in ("README.md", "README.zh.md", "CONTRIBUTING.md"):
        assert "`make test-all`" in (ROOT / name).read_text(encoding="utf-8")


def test_the_lock_has_every_package_of_ci_with_its_sums() -> None:
    text = LOCK.read_text(encoding="utf-8")
    locked = {name_of(entry): entry for entry in entries(text)}
    assert [entry for entry in locked.values() if not SUM.search(entry)] == []
    versions = {name: version_of(entry) for name, entry in locked.items()} | {"torch": pins()[0].partition("==")[2]}
    wanted = [line for name, lines in project()["optional-dependencies"].items() if name != "fuzz" for line in lines]
    requirements = [Requirement(line) for line in (*project()["dependencies"], *wanted)]
    outside = [
        str(one)
        for one in requirements
        if one.name != "srcnn" and versions.get(name_of(one.name), "0") not in one.specifier
    ]
    assert outside == [], "run `make lock`"
    assert "torch" not in locked and not [name for name in locked if name.startswith("nvidia")]


@pytest.mark.parametrize("path", [LOCK, TOOLS_LOCK], ids=lambda path: path.name)
def test_a_lock_names_no_index_and_no_path(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "//" not in text
    assert not re.search(r"^\s*(?:-(?!-hash=)|\.|/)", text, re.MULTILINE)
    assert [entry for entry in entries(text) if not SUM.search(entry)] == []


def test_the_lock_of_the_tools_has_them_all() -> None:
    versions = {name_of(entry): version_of(entry) for entry in entries(TOOLS_LOCK.read_text(encoding="utf-8"))}
    wanted = entries((ROOT / "release" / "tools.in").read_text(encoding="utf-8"))
    requirements = [Requirement(line.partition("#")[0]) for line in wanted]
    assert [str(one) for one in requirements if versions.get(name_of(one.name), "0") not in one.specifier] == []


def test_entries_of_requirements_files() -> None:
    text = "# head\nray[client,tune]==2.60.0 ; sys_platform != 'win32' \\\n    --hash=sha256:00\n    # via x\nA_b.c==1+cpu\n"
    first, second = entries(text)
    assert (name_of(first), version_of(first), SUM.search(first)) == ("ray", "2.60.0", None)
    assert (name_of(second), version_of(second)) == ("a-b-c", "1")
    assert without_torch(["torch==2.13.0+cpu", "triton==3", "nvidia-nccl-cu13==2", "cuda-toolkit==13", first]) == (
        "torch==2.13.0",
        [first],
    )


def test_a_lower_bound_that_cannot_be_installed_is_named() -> None:
    declared = bounds()
    assert str(declared["ray"]) == "2.55"  # of two extras
    resolved = ["ray[tune]==2.55.0", "Pillow==99.1 ; python_version > '3'", "six==1.17.0"]
    assert too_low(declared, resolved) == [
        f"pillow: >={declared['pillow']} is declared, but 99.1 is the lowest that fits the others"
    ]


def test_the_root_of_a_list_of_parts_depends_on_what_the_package_names() -> None:
    bom = {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [{"name": "PyYAML", "bom-ref": "a"}, {"name": "six", "bom-ref": "b"}],
        "dependencies": [{"ref": "a"}, {"ref": "root"}],
    }
    assert related(bom, ["pyyaml>=6,<7"])["dependencies"] == [{"ref": "root", "dependsOn": ["a"]}, {"ref": "a"}]


def test_sums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    (tmp_path / "b.whl").write_bytes(b"")
    (tmp_path / "a.json").write_bytes(b"abc")  # FIPS 180-4 gives this sum
    text = write_sums(tmp_path).read_text(encoding="utf-8")
    assert text.startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.json\n")
    write_sums(tmp_path)  # again: not of itself
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=tmp_path, check=True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_least_rights_and_only_actions_of_a_full_commit(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [line for line in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line)] == []
    assert "pull_request_target" not in text
    assert not re.search(r"run:.*\$\{\{", text)  # no text of an event in a script


def test_every_workflow_uses_the_same_commit_of_an_action() -> None:
    used = {line for path in WORKFLOWS for line in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))}
    assert len({line.partition("@")[0] for line in used}) == len(used)


def test_ci_installs_what_is_locked() -> None:
    assert "export LOCK=requirements-ci.lock" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert workflow["env"]["LOCK"] == LOCK.name
    assert "--require-hashes" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("written", [True, False])
def test_what_is_installed_is_compiled_once(monkeypatch: pytest.MonkeyPatch, written: bool) -> None:
    """The first import compiles a module; pip does it where Python may not write bytecode, so that not every process has to."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "" if written else "1")
    command = ["make", "--dry-run", "--always-make", ".venv/.installed", "LOCK="]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (install,) = (line for line in done.stdout.splitlines() if "pip install" in line)
    assert ("--no-compile" in install) is written
