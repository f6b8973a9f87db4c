"""The program srcnn: help, version, mistakes, and what it says without the platform."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import srcnn
from srcnn.commands import main as program
from srcnn.commands.main import COMMANDS, MODULES, main

from checkout import EXPERIMENTS

COMMANDS_HERE = [name for name in COMMANDS if Path(program.__file__).with_name(f"{name}.py").is_file()]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    return error.rstrip("\n")


def test_the_help_has_a_line_for_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert f"  {name:9}  {entry.text}\n" in text
    assert max(map(len, text.splitlines())) <= 80
    assert main([]) == 2  # nothing was done
    assert capsys.readouterr().out == text


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"srcnn {srcnn.__version__}\n"


def test_help_and_version_import_no_library() -> None:
    code = (
        "import sys\nfrom srcnn.commands.main import main\n"
        "assert main(['--help']) == main(['--version']) == 0 and main(['serch']) == 2\n"
        "print(sorted({'torch', 'numpy', 'pydantic', 'rich', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("serch", "error: srcnn: no such command: 'serch'; did you mean search?"),
        ("--verson", "error: srcnn: no such flag: '--verson'; did you mean --version?"),
        ("xyz", f"error: srcnn: no such command: 'xyz'; there are {', '.join(COMMANDS)}"),
    ],
)
def test_an_unknown_command(given: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused([given], capsys) == line


def test_the_rest_of_the_line_goes_to_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "verify", "Set5", "--data-root", str(tmp_path)]) == 1
    assert capsys.readouterr().out == "Set5: absent\n"


@pytest.mark.parametrize("name", ["search", "report", "runs", "ablation", "watch"])
def test_without_the_platform_a_search_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)  # as if it were not installed
    line = f"srcnn {name}: needs the platform; install it with: pip install 'srcnn[search]'"
    assert refused([name, "--help"], capsys) == line


@pytest.mark.parametrize("name", ["search", "report", "runs", "ablation", "watch"])
def test_without_the_platform_a_script_of_the_checkout_says_it_too(name: str) -> None:
    code = (
        "import runpy, sys\n"
        "sys.modules['ray'] = None\n"
        f"sys.argv = [{str(EXPERIMENTS / f'{name}.py')!r}, '--help']\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    line = f"python experiments/{name}.py: needs the platform; install it with: pip install 'srcnn[search]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("onnx", "needs the libraries for ONNX; install it with: pip install 'srcnn[export]'"),
        ("mlflow.pyfunc", "needs the platform; install it with: pip install 'srcnn[search]'"),
    ],
)
def test_a_library_that_is_missing_later_is_named_by_its_extra(
    module: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(argv: list[str]) -> int:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    fake = ModuleType("srcnn.commands.export")
    monkeypatch.setattr(fake, "main", fail, raising=False)
    monkeypatch.setitem(sys.modules, "srcnn.commands.export", fake)
    assert refused(["export"], capsys) == f"srcnn export: {line}"


def test_any_other_missing_module_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not {"torch", "numpy", "PIL", "srcnn"} & set(MODULES)
    monkeypatch.setitem(sys.modules, "srcnn.commands.data", None)
    with pytest.raises(ModuleNotFoundError):
        main(["data"])


@pytest.mark.parametrize("name", [name for name in COMMANDS_HERE if (EXPERIMENTS / f"{name}.py").is_file()])
def test_a_script_of_the_checkout_is_the_same_command(name: str) -> None:
    script = (EXPERIMENTS / f"{name}.py").read_text(encoding="utf-8")
    code = Path(program.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    assert script.splitlines()[0] == code.splitlines()[0]
    later = (
        COMMANDS[name].extra or name == "export"
    )  # libraries may be missing, so they are imported when it is started
    assert (f'main = main_of("{name}")\n' if later else f"from srcnn.commands.{name} import main\n") in script
    assert "sys.exit(main())" in script


@pytest.mark.parametrize("name", ["bench", "record", "replay", "soak"])
def test_a_script_without_the_platform_says_what_to_install(name: str) -> None:
    """These scripts are no commands of ``srcnn``; they ended with a ModuleNotFoundError."""
    child = subprocess.run(
        [sys.executable, "-c", _WITHOUT_PLATFORM, str(EXPERIMENTS / f"{name}.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    line = f"python experiments/{name}.py: needs the platform; install it with: pip install 'srcnn[search]'\n"
    assert (child.returncode, child.stdout, child.stderr) == (2, "", line)


_WITHOUT_PLATFORM = """
import runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("ray", "optuna", "mlflow"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
sys.argv = [sys.argv[1], "--help"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
