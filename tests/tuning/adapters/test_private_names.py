"""What is not public in Ray, Optuna, MLflow and torch is used in the adapters alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ADAPTERS = {
    "srcnn/system/torch_internals.py",
    "srcnn/tuning/adapters/mlflow_internals.py",
    "srcnn/tuning/adapters/ray_internals.py",
    "srcnn/tuning/adapters/ray_titles.py",
}
FILES = sorted(file for folder in ("srcnn", "experiments") for file in (ROOT / folder).rglob("*.py"))

#: Modules and names without an underscore that their libraries do not document.
UNDOCUMENTED_MODULES = (
    "ray.air",
    "ray.tune.execution",
    "ray.tune.impl",
    "torch.optim.adam",
    "mlflow.protos",
    "mlflow.store",
)
UNDOCUMENTED_NAMES = ("run_metadata", "experiment_driver_staging_path", "error_file", "pickled_error_file")
UNDOCUMENTED_TEXTS = (
    "experiment_state",
    "searcher-state",
    "search_gen_state",
    "callback-states",
    "tuner.pkl",
    "__internal_head__",
    "ray::",
    "mlflow.experimentKind",
    "/#/experiments",
)
#: Own names that look like foreign ones, with the reason.
ALLOWED = {
    ("srcnn/upscaling/png_tiff.py", "_replace"): "a public method of named tuples",
    ("srcnn/data/download.py", "_replace"): "a public method of named tuples",
    ("experiments/_faults/cases.py", "_exit"): "a public function of os",
    ("experiments/_faults/small_jobs.py", "_exit"): "a public function of os",
    ("experiments/_faults/small_jobs.py", "_Hash"): "the type of a public function of hashlib",
    ("experiments/_faults/points.py", "_getframe"): "a documented function of sys",
    ("experiments/_faults/whole_search.py", "_figures"): "this project's own",
    **{
        ("experiments/_faults/driver.py", text): "this driver stands in for Tune's loop, and writes its files"
        for text in ("searcher-state", "experiment_state", "search_gen_state", "tuner.pkl")
    },
    (
        "srcnn/upscaling/png_tiff.py",
        "_mode",
    ): "Pillow's: its public way to 16 bits a channel ends at 8; compared with tifffile",
}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def own_names(tree: ast.Module) -> set[str]:
    """What the file defines itself, as a function, a class or an attribute of ``self``."""
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)} | {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and of_self(node)
    }


def of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, what) of everything that looks private and is not the file's own."""
    own = own_names(tree)
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings may name anything
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not of_self(node):
            if (is_private(node.attr) and node.attr not in own) or node.attr in UNDOCUMENTED_NAMES:
                yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from ((node.lineno, name) for name in names if is_foreign_module(name))
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if is_foreign_module(alias.name))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
            name = node.args[1]
            if isinstance(name, ast.Constant) and is_private(str(name.value)):
                yield node.lineno, str(name.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield from ((node.lineno, text) for text in UNDOCUMENTED_TEXTS if text in node.value)


def is_foreign_module(name: str) -> bool:
    first, *rest = name.split(".")
    private = first in ("ray", "optuna", "mlflow", "torch") and any(is_private(part) for part in rest)
    return private or name.startswith(UNDOCUMENTED_MODULES)


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(ROOT)) for file in FILES])
def test_foreign_private_names_stand_in_the_adapters(file: Path) -> None:
    name = str(file.relative_to(ROOT))
    if name in ADAPTERS:
        return
    found = uses(ast.parse(file.read_text(encoding="utf-8")))
    assert [f"{name}:{line}: {what}" for line, what in found if (name, what) not in ALLOWED] == []


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_an_adapter_has_tests(name: str) -> None:
    assert (ROOT / name).is_file()
    where = Path(name)
    assert (ROOT / "tests" / where.parent.relative_to("srcnn") / f"test_{where.name}").is_file()


@pytest.mark.parametrize(
    "text",
    [
        "tuner._local_tuner",
        "import torch._dynamo",
        "from torch import _C",
        "from ray._private import services",
        "from ray.tune.execution.tune_controller import TuneController",
        "getattr(torch.cpu, '_is_avx512_bf16_supported', None)",
        "trial.run_metadata.metric_analysis",
        "folder.glob('experiment_state-*.json')",
    ],
)
def test_the_search_finds_what_it_is_for(text: str) -> None:
    assert list(uses(ast.parse(text)))


def test_the_search_leaves_own_names_alone() -> None:
    text = "'''ray:: and tuner.pkl'''\nfrom _bench import record\nclass A:\n    def f(self):\n        return self._x, other._x\n"
    assert list(uses(ast.parse(text))) == []
