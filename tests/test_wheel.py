"""The wheel: what is in it, and that it works outside the checkout, with the platform and without."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import srcnn

from checkout import ROOT, SPACES
from command_parts import TINY, photos

__all__ = ["photos"]

#: Modules that `pip install srcnn` does not bring; nothing below may need them.
PLATFORM = ("bokeh", "cmaes", "matplotlib", "mlflow", "optuna", "pandas", "ray", "sklearn", "sqlalchemy", "yaml")
#: Read when Python starts: whoever imports one of them is told that it is not installed.
BLOCKER = f"""\
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {PLATFORM}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""
INFORMATION = {"LICENSE", "METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt"}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the archive of sources, built from a copy, so that nothing is left in the checkout."""
    place, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("dist")
    for name in ("srcnn", "search_spaces"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"):
        shutil.copy(ROOT / name, place)
    code = f"from setuptools import build_meta as b\nb.build_wheel({str(out)!r})\nb.build_sdist({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheel is installed; the libraries are those of this environment."""
    folder = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    done = subprocess.run([*install, str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("search", "--help")`` is the installed program in an empty folder; ``without=True``: without the platform."""
    monkeypatch.delenv("SRCNN_DATA", raising=False)
    (tmp_path / "blocker").mkdir()
    (tmp_path / "blocker" / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")
    (tmp_path / "here").mkdir()

    def call(*arguments: str, without: bool = False, code: str = "") -> subprocess.CompletedProcess[str]:
        paths = [*([str(tmp_path / "blocker")] if without else []), str(site)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
        command = ["-c", code] if code else [str(site / "bin" / "srcnn"), *arguments]
        return subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path / "here",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_the_search_spaces(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        default = archive.read("srcnn/_search_spaces/default.yaml")
    assert default == (SPACES / "default.yaml").read_bytes()
    information = {name for name in names if name.startswith(f"srcnn-{srcnn.__version__}.dist-info/")}
    assert {Path(name).name for name in information} == INFORMATION
    package = {f"srcnn/{name}" for name in files(ROOT / "srcnn")}
    spaces = {f"srcnn/_search_spaces/{name}" for name in files(SPACES)}
    assert names - information == package | spaces  # data files that pyproject.toml does not name are missing here


def test_the_archive_of_sources_can_build_the_wheel(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"search_spaces/{name}" for name in files(SPACES)} <= names
    assert {f"srcnn/{name}" for name in files(ROOT / "srcnn")} <= names
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"} <= names
    assert not [name for name in names if name.startswith(("tests", "experiments", "docs", "mlruns"))]


def test_help_version_and_place(run: Run, site: Path) -> None:
    helped = run("--help", without=True)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "search for the best network" in helped.stdout
    assert run("--version").stdout == f"srcnn {srcnn.__version__}\n"
    assert run(code="import srcnn; print(srcnn.__file__)").stdout.strip() == str(site / "srcnn" / "__init__.py")


def test_without_the_platform_the_library_works(run: Run, photos: Path) -> None:
    used = run(
        without=True,
        code="import srcnn; s = srcnn.load('sample/train'); print(len(s), len(srcnn.load('sample/test')), srcnn.fit.__name__)",
    )
    assert (used.stdout, used.stderr) == ("14 4 fit\n", "")
    sets = ["--train", str(photos / "train"), "--test", str(photos / "test"), "--out", "run", "--epochs", "1"]
    trained = run("train", *TINY, *sets, "--scale", "2", without=True)
    assert (trained.returncode, trained.stderr) == (0, "")
    assert "network: run/network.safetensors" in trained.stdout


def test_without_the_platform_a_search_says_what_to_install(run: Run) -> None:
    refused = run("search", "--trials", "50", without=True)
    line = "srcnn search: needs the platform; install it with: pip install 'srcnn[search]'\n"
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", line)


@pytest.mark.skipif(
    importlib.util.find_spec("srcnn.commands.evaluate") is None, reason="evaluate is not a command of the package yet"
)
def test_without_the_platform_a_network_is_measured(run: Run) -> None:
    measured = run("evaluate", "--weights", "bicubic", "--data", "sample/test", "--scale", "3", without=True)
    assert (measured.returncode, measured.stderr) == (0, "")
    assert "29.41" in measured.stdout  # as in README.md


def test_a_search_outside_the_checkout_finds_its_space(run: Run, site: Path, tmp_path: Path) -> None:
    """The space is read before the images are looked for; nothing is written, beside the package least of all."""
    before = files(site)
    refused = run("search", "--space", "deep.yaml", "--train", "nowhere")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: data set 'nowhere' does not exist")
    listed = run("ablation", "--list")
    assert listed.returncode == 0
    assert "filter_size" in listed.stdout
    helped = run("search", "--help").stdout
    assert helped.startswith("usage: srcnn search ")
    assert "\n    srcnn search --resume NAME\n" in helped
    assert files(site) == before
    assert list((tmp_path / "here").iterdir()) == []
