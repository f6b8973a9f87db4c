"""The package as a whole: public names are declared, and the core loads no platform."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import srcnn
from srcnn.commands.main import COMMANDS

MODULES = sorted(module.name for module in pkgutil.walk_packages(srcnn.__path__, "srcnn."))
#: Parts of the commands that need the platform.
PLATFORM = {f"srcnn.commands.{name}" for name, entry in COMMANDS.items() if entry.extra == "search"}
PLATFORM |= {
    f"srcnn.commands.{name}"
    for name in (
        *("champion_words", "event_lines", "live_display", "live_table", "live_words"),
        *("search_end", "search_flags", "search_session", "search_start", "search_tables"),
        "table_output",  # of ablation
    )
}
DECLARED = [
    name
    for name in MODULES
    if not name.startswith("srcnn.tuning") and hasattr(importlib.import_module(name), "__all__")
]
CORE = [name for name in DECLARED if name not in PLATFORM]


def test_there_is_a_core() -> None:
    assert {
        "srcnn.config.training",
        "srcnn.evaluation.protocol",
        "srcnn.training.fit",
        "srcnn.model.weights_file",
    } < set(CORE)


@pytest.mark.parametrize("name", DECLARED)
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


def test_the_package_alone_loads_nothing_and_has_its_names() -> None:
    code = (
        "import sys, srcnn\nassert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
        "assert set(srcnn.__all__) <= set(dir(srcnn))\nfor name in srcnn.__all__: getattr(srcnn, name)\n"
        "assert srcnn.data.datasets.load is srcnn.load\nassert not hasattr(srcnn, 'nothing')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_names_the_module_of_every_public_name() -> None:
    for name in srcnn.__all__:
        found = getattr(srcnn, name)
        assert found.__module__ == srcnn._HOME[name], name
