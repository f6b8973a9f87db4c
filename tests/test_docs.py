"""Every file that the documentation names exists, every command is understood by its program, and no page is a dead end."""

from __future__ import annotations

import contextlib
import io
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
from PIL import Image

import srcnn
from srcnn.commands.main import COMMANDS
from srcnn.commands.main import main as srcnn_program
from srcnn.tuning.space.space_file import load_space

from checkout import ROOT
from command_reference import parsed, parser_of
from written_commands import Block, Written, blocks, commands_in, commands_of, flags_in, is_python, split

DOCUMENTS = sorted(
    p.relative_to(ROOT).as_posix()
    for p in (
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md", "SECURITY.md")),
    )
)
#: Pages about a part that the checkout may not have yet; read as soon as it does.
LATER = [] if (ROOT / "srcnn" / "commands" / "watch.py").is_file() else ["docs/how-to/watch.md"]
DOCUMENTS = [document for document in DOCUMENTS if document not in LATER]

_FOLDERS = r"(?:srcnn|experiments|tests|docs|search_spaces|\.github)"
#: A path from the root in text; a name in capitals or with a star stands for many files.
_PATH = re.compile(rf"(?<![\w/.-]){_FOLDERS}(?:/[\w.*-]+)+/?")
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)<?([^)#>\s]+)")


def paths_in(text: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Every path that a document names, as it is written and where it leads.

    Args:
        text: the document.
        folder: of the document, which links start from.
    """
    for match in _PATH.finditer(text):
        written = match[0].rstrip("./")
        if "*" not in written and not re.search(r"/[A-Z_]+(?=[./]|$)", written):
            yield written, ROOT / written
    for match in _LINK.finditer(text):
        yield match[1], folder / match[1]


def gone(text: str, folder: Path) -> list[str]:
    return sorted({written for written, path in paths_in(text, folder) if not path.exists()})


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_exists(document: str) -> None:
    path = ROOT / document
    assert gone(path.read_text(encoding="utf-8"), path.parent) == []


def test_paths_in_a_text() -> None:
    text = (
        "See `srcnn/errors.py`, srcnn/gone.py. `python experiments/search.py --space search_spaces/NAME.yaml` and "
        "tests/tuning/, not /srv/srcnn/code or experiments/results/soak-*.json; [a](none.md), [b](https://x.y/z.md)."
    )
    assert [written for written, _ in paths_in(text, ROOT)] == [
        "srcnn/errors.py",
        "srcnn/gone.py",
        "experiments/search.py",
        "tests/tuning",
        "none.md",
    ]
    assert gone(text, ROOT) == ["none.md", "srcnn/gone.py"]


# --- Commands ---

COMMANDED = [*DOCUMENTS, "mlruns/README.md"]

#: Programs whose command lines are not checked here, each with the reason.
NOT_CHECKED = {
    ".": "the shell's own",
    "$EDITOR": "opens an editor",
    "cd": "the shell's own",
    "chmod": "of the system",
    "cp": "of the system",
    "curl": "needs a running server",
    "docker": "needs Docker; its files are read by test_cluster_files.py",
    "export": "the shell's own",
    "git": "needs the address of the repository",
    "kubectl": "needs a cluster; its files are read by test_cluster_files.py",
    "mkdir": "of the system",
    "nft": "needs the rights of root; its file is read by test_cluster_files.py",
    "openssl": "of the system",
    "optuna-dashboard": "an extra of its own, whose test starts it",
    "printf": "the shell's own",
    "ray": "needs a cluster; what it runs there is checked",
    "rm": "of the system",
    "sha256sum": "of the system",
    "sudo": "needs the rights of root",
    "sudoedit": "needs the rights of root, and opens an editor",
    "umask": "the shell's own",
}

#: Commands that a test runs as they are, with photos in the places that they name. All others take longer or need a GPU, a
#: cluster, data sets or a past search; their own parsers read them.
RUN = (
    "srcnn --help",
    "srcnn upscale photo.jpg --scale 3",
    "srcnn upscale holiday/ --scale 2 --out large",
    "srcnn evaluate --model bicubic --data my/test --scale 2",
    "srcnn evaluate --model champion --data my/test --scale 2",
    "python experiments/ablation.py --list",
    "python experiments/export.py --model champion --scale 3 --out x3.onnx",
    "python -c from srcnn.tuning.space.shipped_spaces import shipped; print(shipped('default.yaml'))",
)


def written() -> Iterator[tuple[str, Written]]:
    for document in (*COMMANDED, *LATER):
        for one in commands_in((ROOT / document).read_text(encoding="utf-8")):
            yield document, one


@cache
def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def wrong(words: tuple[str, ...]) -> str:
    """What is wrong with a command of the documentation; empty: nothing, or it is not checked here."""
    program, arguments = Path(words[0]).name if words[0] != "." else ".", [*words[1:]]
    if program.startswith("python"):
        return wrong_python(arguments)
    if program.endswith(".py"):
        return wrong_arguments(program.removesuffix(".py"), arguments)
    if program == "srcnn":
        if not arguments or arguments[0] in ("--help", "--version"):
            return ""
        known = arguments[0] in COMMANDS
        return wrong_arguments(arguments[0], arguments[1:]) if known else f"srcnn has no command {arguments[0]}"
    if program == "make":
        unknown = {word for word in arguments if "=" not in word} - targets()
        return f"the Makefile has no target {', '.join(sorted(unknown))}" if unknown else ""
    if program == "pip":
        return wrong_extras(arguments)
    if program == "mlflow":
        return wrong_mlflow(arguments)
    if program == "pytest":
        marks = [line.partition(":")[0] for line in project()["tool"]["pytest"]["ini_options"]["markers"]]
        return "" if arguments[0] == "-m" and arguments[1] in marks else f"no such mark: {arguments}"
    if program == "sbatch":  # search.sbatch NAME and the arguments of the search
        script = next(number for number, word in enumerate(arguments) if word.endswith("search.sbatch"))
        return wrong_arguments("search", arguments[script + 2 :])
    if program == "ray" and "exec" in arguments:
        there = commands_of(Block(1, "bash", arguments[-1]))
        return "; ".join(fault for one in there if (fault := wrong(one.words)))
    return (
        "" if program in NOT_CHECKED else f"nobody knows the program {program}: check it, or say in NOT_CHECKED why not"
    )


def wrong_python(arguments: list[str]) -> str:
    if arguments[0] == "-c":
        compile(arguments[1], "-c", "exec")
        return ""
    if arguments[0] == "-m":
        return "" if find_spec(arguments[1]) is not None or arguments[1] == "build" else f"no module {arguments[1]}"
    script = Path(arguments[0])
    if script.name == "execute.py":
        return (
            "" if all((ROOT / "examples" / name).is_file() or name == "NAME.ipynb" for name in arguments[1:]) else "?"
        )
    if script.parent.name != "experiments":
        return f"no script of experiments/: {script}"
    return "" if script.stem == "NAME" else wrong_arguments(script.stem, arguments[1:])


def wrong_arguments(name: str, arguments: list[str]) -> str:
    """Read the arguments by the parser of the command, which writes its one-line error to stderr."""
    errors = io.StringIO()
    if name == "doctor" and "..." in arguments:
        return ""
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            parsed(name, arguments)
    except SystemExit as end:
        return "" if not end.code else errors.getvalue().strip()
    except ModuleNotFoundError as error:
        return f"{name}: {error}"
    return ""


def wrong_extras(arguments: list[str]) -> str:
    extras = project()["project"]["optional-dependencies"]
    unknown = [
        extra
        for word in arguments
        if re.match(r"(?:\.|srcnn[^\[]*|dist/\S*)\[", word)
        for extra in re.findall(r"\[([a-z,]+)\]", word)[0].split(",")
        if extra not in extras
    ]
    return f"no such extra: {', '.join(unknown)}" if unknown else ""


def wrong_mlflow(arguments: list[str]) -> str:
    cli: Any = import_module("mlflow.cli").cli
    try:
        while arguments and hasattr(cli, "commands"):
            name, *arguments = arguments
            command = cli.get_command(click.Context(cli), name)  # `ui` is another name of `server`
            if command is None:
                return f"mlflow has no command {name}"
            cli = command
        cli.make_context("mlflow", [*arguments], resilient_parsing=False)
    except click.ClickException as error:
        return f"mlflow: {error}"
    return ""


@pytest.mark.parametrize("document", COMMANDED)
def test_every_command_of_a_document_is_understood_by_its_program(document: str) -> None:
    found = [
        f"line {one.line}: {one.text}: {fault}"
        for one in commands_in((ROOT / document).read_text(encoding="utf-8"))
        if (fault := wrong(one.words)) and not (one.named and "arguments are required" in fault)
    ]
    assert found == []


def test_no_reason_is_kept_for_a_program_that_no_document_names() -> None:
    assert set(NOT_CHECKED) <= {Path(one.words[0]).name if one.words[0] != "." else "." for _, one in written()}


@pytest.mark.parametrize("command", RUN)
def test_a_command_does_what_the_document_says(
    command: str, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (words, *_) = [one.words for _, one in written() if one.text == command] or [()]
    assert words, "no document has this command any more: take it out of RUN"
    monkeypatch.chdir(photos)
    if words[1] == "-c":
        exec(words[2], {})
    else:
        name, *arguments = words[1:]
        assert srcnn_program([Path(name).stem if name.endswith(".py") else name, *arguments]) == 0
    assert capsys.readouterr().out


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with the photos that the documents name."""
    for name in ("photo.jpg", "holiday/a.jpg", "holiday/b/c.png", "my/test/a.png", "my/test/b.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((40, 30), 60).convert("RGB").save(file)
    return tmp_path


@cache
def flags() -> set[str]:
    """Every flag of every command."""
    names = [*COMMANDS, "replay", "record", "bench", "soak"]
    parsers = [parser_of(name) for name in names]
    found = {option for parser in parsers for action in parser._actions for option in action.option_strings}
    for parser in parsers:
        for action in parser._actions:
            for one in getattr(action, "choices", None) or ():
                sub = action.choices[one] if isinstance(action.choices, dict) else None
                found |= {option for each in (sub._actions if sub else ()) for option in each.option_strings}
    return found | {"--version"}


#: Documents whose sentences name flags of other programs.
FOREIGN = ("CONTRIBUTING.md", "docs/cluster.md", "docs/libraries.md")


@pytest.mark.parametrize("document", [d for d in COMMANDED if d not in FOREIGN])
def test_every_flag_that_a_sentence_names_exists(document: str) -> None:
    named = set(flags_in((ROOT / document).read_text(encoding="utf-8")))
    assert named - flags() == set()


@pytest.mark.parametrize("document", COMMANDED)
def test_python_and_spaces_of_a_document_can_be_read(document: str, tmp_path: Path) -> None:
    for block in blocks((ROOT / document).read_text(encoding="utf-8")):
        if is_python(block):
            compile(block.text, document, "exec")
            for name in re.findall(r"\bsrcnn\.(\w+)", block.text):
                assert hasattr(srcnn, name), f"line {block.line}: srcnn.{name}"
        if block.language == "yaml" and block.text.startswith("parameters:"):
            path = tmp_path / f"{block.line}.yaml"
            path.write_text(block.text, encoding="utf-8")
            assert load_space(path).parameters


def test_commands_of_a_text() -> None:
    text = (
        "# Title\n\nUse `make search` and\n`runs.py verify\nNAME`, not `srcnn` or `--flag`.\n\n"
        "    MLFLOW=x mlflow ui --port 1   # a comment\n"
        "    cd a && python experiments/search.py --trials 5 \\\n        --scale 3\n\n"
        "```bash\nray exec file '\n  cd b\n  python c.py'\n```\n\n```yaml\nparameters: {}\n```\n\n    import srcnn\n"
    )
    assert [(one.line, one.text, one.named) for one in commands_in(text)] == [
        (7, "mlflow ui --port 1", False),
        (8, "cd a", False),
        (8, "python experiments/search.py --trials 5 --scale 3", False),
        (12, "ray exec file \n  cd b\n  python c.py", False),
        (3, "make search", True),
        (4, "runs.py verify NAME", True),
    ]
    assert [*flags_in(text)] == ["--flag"]
    assert [block.language for block in blocks(text)] == ["", "bash", "yaml", ""]
    assert is_python([*blocks(text)][-1])


def test_a_wrong_command_is_found() -> None:
    assert "--trails: no such flag" in wrong(("srcnn", "search", "--trails", "5"))
    assert "--trails: no such flag" in wrong(
        ("ray", "exec", "f.yaml", "cd a\n.venv/bin/python experiments/search.py --trails 5")
    )
    assert wrong(("make", "serach", "TRIALS=4")) == "the Makefile has no target serach"
    assert wrong(("pip", "install", ".[serach]")) == "no such extra: serach"
    assert wrong(("mlflow", "ui", "--prot", "1")).startswith("mlflow: ")
    assert "nobody knows the program" in wrong(("wget", "x"))
    assert "no script of experiments/" in wrong(("python", "search.py"))


@pytest.mark.parametrize("name", [*COMMANDS, "replay", "record", "bench", "soak"])
def test_the_examples_in_the_help_of_a_command_are_understood(name: str) -> None:
    text = parser_of(name).description or ""
    found = [f"{one.text}: {fault}" for one in commands_in(text) if not one.named and (fault := wrong(one.words))]
    assert found == []


@pytest.mark.parametrize("path", sorted((ROOT / "search_spaces").rglob("*.yaml")), ids=lambda path: path.name)
def test_the_command_at_the_top_of_a_space_or_table_is_understood(path: Path) -> None:
    comment = re.match(r"(?:#.*\n)*", path.read_text(encoding="utf-8"))
    assert comment is not None
    lines = comment[0].replace("\n#", "\n").removeprefix("#")
    told = re.search(r"^ *Command: *((?:.*\\\n)*.*)$", lines, re.MULTILINE)
    if told is not None:
        for words in split(told[1].replace("\\\n", " ")):
            assert wrong(words) == ""
