"""The package as a whole: public names are declared, and the core loads no platform."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import srcnn

MODULES = sorted(module.name for module in pkgutil.walk_packages(srcnn.__path__, "srcnn."))
CORE = [
    name
    for name in MODULES
    if not name.startswith("srcnn.tuning") and hasattr(importlib.import_module(name), "__all__")
]


def test_there_is_a_core() -> None:
    assert {
        "srcnn.config.training",
        "srcnn.evaluation.protocol",
        "srcnn.training.fit",
        "srcnn.model.weights_file",
    } < set(CORE)


@pytest.mark.parametrize("name", CORE)
def test_declared_names_exist_and_public_names_are_declared(name: str) -> None:
    module = importlib.import_module(name)
    declared = module.__all__
    assert list(declared) == sorted(declared, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    assert all(hasattr(module, n) for n in declared)
    own = {
        n
        for n, value in vars(module).items()
        if not n.startswith("_")
        and getattr(value, "__module__", None) == name
        and (inspect.isclass(value) or inspect.isroutine(inspect.unwrap(value)))
    }
    assert own <= set(declared)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is(name: str) -> None:
    assert importlib.import_module(name).__doc__


def test_the_core_loads_no_platform() -> None:
    code = (
        f"import sys, importlib\nfor name in {['srcnn', *CORE]}: importlib.import_module(name)\n"
        "print(sorted({'ray', 'optuna', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
