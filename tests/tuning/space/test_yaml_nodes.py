"""Nodes know their lines: a name that stands twice, a tag, a date that is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from srcnn.errors import ConfigError
from srcnn.tuning.space.yaml_nodes import NodeReader, plain, shown

FILE = Path("s.yaml")


def node(text: str) -> yaml.Node:
    found = yaml.compose(text)
    assert found is not None
    return found


def test_entries_keep_their_lines_and_order() -> None:
    entries = NodeReader(FILE).mapping(node("a: 1\n\nb: [2, 3]\n"), "the file")
    assert [(name, line, plain(FILE, value)) for name, (line, value) in entries.items()] == [
        ("a", 1, 1),
        ("b", 3, [2, 3]),
    ]


def test_a_name_that_stands_twice_is_refused_where_yaml_would_keep_the_last() -> None:
    with pytest.raises(ConfigError, match=r"s\.yaml:2: a: appears twice in parameters"):
        NodeReader(FILE).mapping(node("a: 1\na: 2\n"), "parameters")


@pytest.mark.parametrize(
    ("text", "message"),
    [("!!python/name:os.system", r"s\.yaml:1: is not plain YAML"), ("2020-13-45", r"s\.yaml:1: is not a valid value")],
)
def test_what_is_no_plain_value_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plain(FILE, node(text))


@pytest.mark.parametrize("text", ["[1, 2]", "text"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"s\.yaml:1: parameters must be a mapping"):
        NodeReader(FILE).mapping(node(text), "parameters")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: 1, a: 2}", r"s\.yaml:1: a: appears twice"),
        ("- x\n- {b: {a: 1,\n a: 2}}", r"s\.yaml:3: a: appears twice"),
        (
            "x: &x {a: 1}\ny:\n  <<: *x\n  a: 2",
            r"s\.yaml:3: <<: must not be used, because a merge hides repeated names",
        ),
        ("{[1]: 2}", r"s\.yaml:1: a name must be a word or a number"),
        ("{a: " + "9" * 5000 + "}", r"s\.yaml:1: is not a valid value"),
    ],
)
def test_names_that_are_repeated_or_hidden_are_refused_at_any_depth(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plain(FILE, node(text))


def test_a_long_value_is_shortened_in_a_message() -> None:
    assert shown("abc") == "abc"
    assert shown([1, 2]) == "[1, 2]"
    assert shown("x" * 1000) == "x" * 200 + "..."
