"""Start networks of a search: read once, kept in its folder, and taken from there by a resumed search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from srcnn.champions.start import named_start
from srcnn.errors import CheckpointError, DataError, SearchError
from srcnn.model.weights_digest import weights_digest
from srcnn.tuning.planning.starts import keep_starts, start_names, start_networks, warnings
from srcnn.tuning.space.parameter import Categorical
from srcnn.tuning.space.space import Space

URI = "sqlite:///nowhere.db"


def space_of(*names: str) -> Space:
    return Space("here", {"start": Categorical(type="categorical", choices=names)}, {"scale": 3})


def test_names_come_from_choices_or_from_a_constant() -> None:
    assert start_names(space_of("random", "champion:2", "champion:3")) == ("champion:2", "champion:3")
    assert start_names(Space("here", {}, {"start": "champion:4"})) == ("champion:4",)
    assert start_names(Space("here", {}, {})) == ()


def test_the_configurations_of_a_space_have_the_digest(tmp_path: Path) -> None:
    space = space_of("random", "champion:2")
    starts = start_networks(space, tmp_path, URI)
    space = replace(space, starts={name: start.digest for name, start in starts.items()})
    warm, cold = (space.to_config({"start": name}) for name in ("champion:2", "random"))
    assert (warm.start, warm.start_digest) == ("champion:2", named_start("champion:2").digest)
    assert (cold.start, cold.start_digest) == ("random", "")


def test_a_search_keeps_the_weights_that_it_began_with(tmp_path: Path) -> None:
    space = space_of("random", "champion:2")
    starts = start_networks(space, tmp_path, URI)
    other = {name: value + 1 for name, value in starts["champion:2"].weights.items()}
    began = {"champion:2": replace(starts["champion:2"], weights=other, digest=weights_digest(other))}
    keep_starts(tmp_path, began)
    keep_starts(tmp_path, starts)  # a resumed search changes nothing
    found = start_networks(space, tmp_path, URI)["champion:2"]
    assert found.digest == began["champion:2"].digest
    assert all(torch.equal(found.weights[name], value) for name, value in other.items())
    with pytest.raises(SearchError, match=r"must have the weights of champion:3, but has those of champion:2"):
        start_networks(space_of("champion:3"), tmp_path, URI)


def test_an_image_that_a_start_network_was_trained_on_is_refused_or_named(tmp_path: Path) -> None:
    starts = start_networks(space_of("champion:2"), tmp_path, URI)
    pool, held_out = "T91+BSDS300/train", ["T91/t1"]
    with pytest.raises(DataError, match="start: champion:2 was trained on 1 image that this run measures, T91/t1"):
        warnings(starts, tmp_path, pool, held_out, ["Set5"], allow_overlap=False)
    (line,) = warnings(starts, tmp_path, pool, held_out, ["Set5"], allow_overlap=True)
    assert line.startswith("kept on request (--allow-overlap): champion:2 was trained on 1 measured image")
    assert warnings({}, tmp_path, pool, held_out, ["Set5"], allow_overlap=False) == ()
    keep_starts(tmp_path, starts)  # compared when the search began
    assert warnings(starts, tmp_path, pool, held_out, ["Set5"], allow_overlap=False) == ()


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: no such file"):
        start_networks(space_of(str(tmp_path / "gone.safetensors")), tmp_path, URI)
