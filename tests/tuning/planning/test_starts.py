"""Start networks of a search: read once, kept in its folder, and taken from there by a resumed search."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from srcnn.champions.start import StartNetwork, named_start
from srcnn.config.architecture import ModelConfig
from srcnn.errors import CheckpointError, ConfigError, DataError, SearchError
from srcnn.model.network import SRCNN
from srcnn.model.weights_digest import weights_digest
from srcnn.tuning.planning.starts import (
    keep_starts,
    shared_lines,
    start_names,
    start_networks,
    warnings,
    with_starts,
)
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
    first, _, side, _ = starts["champion:2"].weights["layers.0.weight"].shape
    space = with_starts(replace(space, constants={"kernels": f"{side}-1", "filters": f"{first}"}), starts)
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


def other_network(filters: tuple[int, ...], scale: int = 2) -> StartNetwork:
    network = SRCNN(ModelConfig(kernels=(3, 3, 3), filters=filters, scale=scale, upsampling="pixel_shuffle"))
    return StartNetwork("a.safetensors", network.state_dict(), "1" * 64)


def shuffled(start: object, **varied: tuple[int, ...]) -> Space:
    """Networks 3-3-3 with pixel shuffle that start from something."""
    parameters: dict[str, Any] = {
        name: Categorical(type="categorical", choices=choices) for name, choices in varied.items()
    }
    constants = {"depth": 3, "f_rest": 3, "upsampling": "pixel_shuffle", "n_rest": 6, "patch_size": 24}
    if isinstance(start, tuple):
        parameters["start"] = Categorical(type="categorical", choices=start)
    else:
        constants["start"] = start
    return Space("here", parameters, {name: value for name, value in constants.items() if name not in parameters})


@pytest.mark.parametrize("start", ["a.safetensors", ("random", "a.safetensors")])
def test_a_network_without_a_common_layer_is_refused_before_anything_runs(start: object) -> None:
    space = with_starts(shuffled(start, n1=(4, 5), scale=(2, 3)), {"a.safetensors": other_network((8, 8))})
    with pytest.raises(
        ConfigError, match=r"^start: a\.safetensors must have a layer .*; none of \d+ random .* of here has"
    ):
        shared_lines(space)


def test_a_scale_without_a_valid_configuration_is_refused_if_all_start_from_networks() -> None:
    """The last layer of 3-3-3 (8-6) at x2 is all that 3-3-3 (4-6) and (5-6) have of it, and that at x2 only."""
    network = {"a.safetensors": other_network((8, 6))}
    with pytest.raises(ConfigError, match=r"; no random configuration of here at x3 has one$"):
        shared_lines(with_starts(shuffled("a.safetensors", n1=(4, 5), scale=(2, 3)), network))
    (line,) = shared_lines(with_starts(shuffled(("random", "a.safetensors"), n1=(4, 5), scale=(2, 3)), network))
    assert (
        line
        == "125 of 250 random configurations that start from a.safetensors share no layer with it; such are not drawn"
    )


def test_configurations_that_share_no_layer_are_invalid_and_the_others_are_not() -> None:
    space = with_starts(shuffled(("random", "a.safetensors"), n1=(4, 8)), {"a.safetensors": other_network((8, 3))})
    assert space.to_config({"start": "a.safetensors", "n1": 8}).start_digest == "1" * 64
    assert space.to_config({"start": "random", "n1": 4}).start == "random"
    with pytest.raises(ConfigError, match=r"start: a\.safetensors must have a layer"):
        space.to_config({"start": "a.safetensors", "n1": 4})
    source = random.Random(0)
    drawn = [space.drawn_config(source, {"start": "a.safetensors"}) for _ in range(5)]
    assert {config.filters for config in drawn} == {(8, 6)}
    assert shared_lines(shuffled(("random",))) == ()  # without start networks nothing is compared
