"""YAML files are read up to their bounds; what passes one is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from srcnn.errors import ConfigError
from srcnn.system.bounded_read import DEPTH
from srcnn.tuning.space.shipped_spaces import shipped
from srcnn.tuning.space.yaml_file import NODES, SIZE, compose


def _written(folder: Path, text: str | bytes) -> Path:
    file = folder / "s.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def _laughs(levels: int, many: int = 9) -> str:
    rows = ["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * many)}]" for i in range(1, levels))]
    return "\n".join(rows)


def test_every_shipped_file_is_read_as_pyyaml_reads_it() -> None:
    folder = shipped()
    assert folder is not None
    files = sorted(folder.rglob("*.yaml"))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert yaml.serialize(compose(file)) == yaml.serialize(yaml.compose(text))


def test_aliases_may_repeat_a_part(tmp_path: Path) -> None:
    found = compose(_written(tmp_path, "a: &a {x: [1, 2]}\nb: *a\n"))
    assert isinstance(found, yaml.MappingNode)
    assert found.value[0][1] is found.value[1][1]


def test_an_empty_file_has_no_node(tmp_path: Path) -> None:
    assert compose(_written(tmp_path, "")) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), r"s\.yaml:1: must nest at most 32 deep"),
        ("[" * 50_000, r"s\.yaml:1: must nest at most 32 deep"),
        ("- " * 50_000 + "x", r"s\.yaml:1: must nest at most 32 deep"),
        ("\n".join(" " * i + f"k{i}:" for i in range(400)), r"s\.yaml:32: must nest at most 32 deep"),
        (_laughs(9), r"s\.yaml:6: must have at most 20000 values, repeated ones included"),
        (_laughs(60, 1), r"s\.yaml:\d+: must nest at most 32 deep"),
        ("[" + "1, " * NODES + "]", r"s\.yaml:1: must have at most 20000 values"),
        ("a: &a [*a]", r"s\.yaml:1: is not YAML: alias 'a' stands inside of what it repeats"),
        ("a: *b", r"s\.yaml:1: is not YAML: found undefined alias"),
        ("a: [1\nb: 2", r"s\.yaml:2: is not YAML"),
        (b"a: \x00", r"s\.yaml: is not YAML"),
        ("a: 1".encode("utf-16"), r"s\.yaml: is not a text file in UTF-8"),
        (b"#" * (SIZE + 1), r"s\.yaml: must have at most 256 KiB, but has more"),
        ("a: 1\n---\na: 2", r"s\.yaml:2: is not YAML: but found another document"),
    ],
)
def test_what_is_too_much_or_no_yaml(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        compose(_written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_device_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be a regular file, but is a folder"):
        compose(tmp_path)
    with pytest.raises(ConfigError, match="must be a regular file, but is a device"):
        compose(Path("/dev/zero"))


def test_a_missing_file_without_a_folder_names_those_of_the_package() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read .*; the package has .*default\.yaml"):
        compose(Path("nowhere.yaml"))
