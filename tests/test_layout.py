"""Tests mirror the packages: ``srcnn/a/b.py`` is tested by ``tests/a/test_b.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkout import ROOT

#: Test files of a mirrored folder that test more than one module, each with the reason.
MORE_THAN_A_MODULE = {
    "tests/tuning/adapters/test_private_names.py",  # nothing private of another library is used outside the adapters
    "tests/tuning/driver/test_fault_types.py",  # faults of every kind, told by their types
    "tests/tuning/algorithms/test_curves_sampler.py",  # the searcher and its model of curves together
    "tests/tuning/algorithms/test_scale_condition.py",  # every sampler draws for the scale of its trial
    "tests/tuning/tracking/test_views_browser.py",  # the driver's runs, views and models in MLflow's pages
    "tests/tuning/report/document/test_page_browser.py",  # a report in a real browser
    "tests/tuning/watch/test_in_browser.py",  # the page and its server in Chromium, beside a real search
    "tests/tuning/whole_search/test_truth.py",  # a search whose answer is known
    "tests/tuning/whole_search/test_overlap.py",  # a search on sets that share a photograph
}

#: Modules without a test file of their own so far. Nothing may be added here.
STILL_WITHOUT: frozenset[str] = frozenset()


def modules() -> set[str]:
    return {p.relative_to(ROOT).as_posix() for p in (ROOT / "srcnn").rglob("*.py") if p.name != "__init__.py"}


def mirrored_tests() -> set[str]:
    """Test files in folders that mirror a package; those at the top and of the commands are not among them."""
    folders = [p for p in (ROOT / "tests").iterdir() if p.is_dir() and (ROOT / "srcnn" / p.name).is_dir()]
    return {p.relative_to(ROOT).as_posix() for folder in folders for p in folder.rglob("test_*.py")}


def place(module: str) -> str:
    """The test file of a module."""
    path = Path(module)
    return (Path("tests", *path.parts[1:-1]) / f"test_{path.name}").as_posix()


def without_test() -> set[str]:
    return {module for module in modules() if not (ROOT / place(module)).is_file()}


def test_every_module_has_a_test_file() -> None:
    missing = sorted(place(module) for module in without_test() - STILL_WITHOUT)
    assert not missing, "modules without their test file"


def test_the_list_of_modules_without_a_test_file_is_no_longer_than_it_must_be() -> None:
    done = sorted(STILL_WITHOUT - without_test())
    assert not done, "these have a test file or are gone: take them out of STILL_WITHOUT"


def test_every_test_file_has_its_module() -> None:
    mirrored = {place(module) for module in modules()}
    assert sorted(mirrored_tests() - mirrored - MORE_THAN_A_MODULE) == []


@pytest.mark.parametrize("path", sorted(MORE_THAN_A_MODULE))
def test_exceptions_exist(path: str) -> None:
    assert (ROOT / path).is_file()


def test_the_place_of_a_test() -> None:
    assert place("srcnn/tuning/space/space.py") == "tests/tuning/space/test_space.py"
    assert place("srcnn/errors.py") == "tests/test_errors.py"
