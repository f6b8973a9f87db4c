"""Start networks: names, digests, and images that they were trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from srcnn.champions.card import Origin, TrainingSet
from srcnn.champions.shipped import champion_card, load_champion, weights_file
from srcnn.champions.start import StartNetwork, checked, file_start, header_of, named_start, refusal, seen
from srcnn.config.architecture import ModelConfig
from srcnn.data.image_set import ImageSet
from srcnn.errors import CheckpointError, ConfigError
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import save_network


def start_of(training: str, validation: tuple[str, ...] = (), **more: object) -> StartNetwork:
    origin = Origin(training=TrainingSet(name=training, digest="0"), validation=validation, **more)
    return StartNetwork("net.safetensors", {}, "0" * 64, origin, ("Set5",))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_champion_has_the_weights_that_ship_and_the_origin_of_its_card(scale: int) -> None:
    start = named_start(f"champion:{scale}")
    for name, value in load_champion(scale).state_dict().items():
        assert torch.equal(start.weights[name], value)
    card = champion_card(scale)
    assert (start.origin, start.tests) == (card.origin, tuple(score.name for score in card.scores))
    assert (start.before, start.before_digest) == (card.configuration.start, card.configuration.start_digest)
    # The same weights in a file have the same digest.
    assert file_start("x", weights_file(scale)).digest == start.digest


def test_another_champion_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="scale: must be 2, 3 or 4"):
        named_start("champion:5")
    with pytest.raises(CheckpointError, match="no such file"):
        named_start("nowhere/network.safetensors")


def test_a_file_says_what_its_network_was_trained_on(tmp_path: Path) -> None:
    network = SRCNN(ModelConfig(kernels=(3, 3), filters=(2,), scale=2))
    image = np.zeros((4, 4, 3), np.uint8)
    training, test = ImageSet("T91[train]", (("t1", image), ("t2", image))), ImageSet("Set5", (("woman", image),))
    file = tmp_path / "network.safetensors"
    header = header_of(training, ["t3"], [test], ["t4 shows woman of Set5 at scale 0.71"], [])
    save_network(file, network.state_dict(), network.config, {"epoch": 3, **header})
    start = file_start("that", file)
    assert start.origin is not None
    assert start.origin.training == TrainingSet(name="T91[train]", digest=training.digest)
    assert (start.origin.validation, start.tests) == (("t3",), ("Set5",))
    assert seen(start, "T91", ["t3", "t4"], ["Set5"]).images == ()
    found = seen(start, "T91", ["t1", "t3"], ["Set5"])
    assert (found.images, found.doubts) == (("T91/t1",), ())
    save_network(file, network.state_dict(), network.config)  # as an earlier version wrote it
    old = file_start("that", file)
    assert old.digest == start.digest
    (doubt,) = seen(old, "T91", ["t1"], ["Set5"]).doubts
    assert doubt.startswith("it is not known what that was trained on")


def test_names_are_compared_across_joined_sets() -> None:
    start = start_of("T91+BSDS300/train[train]", ("T91/t3", "BSDS300/train/100"))
    assert seen(start, "T91", ["t3", "t5"], ["Set5"]).images == ("T91/t5",)
    assert seen(start, "BSDS300/train", ["100"], ["Set5"]).images == ()
    assert seen(start_of("T91", ("t3",)), "T91+BSDS300/train", ["T91/t3", "BSDS300/train/7"], ["Set5"]).images == ()


def test_images_that_judged_the_network_were_held_out_as_well() -> None:
    start = start_of("T91[train]", ("t3",), judging=("t4",))
    assert seen(start, "T91", ["t3", "t4", "t5"], ["Set5"]).images == ("T91/t5",)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_search_with_the_seed_of_a_champion_measures_none_of_its_training_images(scale: int) -> None:
    start = named_start(f"champion:{scale}")
    assert start.origin is not None
    held_out = [*start.origin.validation, *start.origin.judging]
    assert len(held_out) == 24
    assert seen(start, "T91+BSDS300/train", held_out, ["Set5"]).images == ()


def test_a_set_that_cannot_be_compared_is_a_doubt() -> None:
    found = seen(start_of("T91"), "my/photos", ["a"], ["Set5", "Set14"])
    assert found.images == ()
    assert [doubt.partition(",")[0] for doubt in found.doubts] == [
        "the images of my/photos were not compared with T91",
        "T91",
    ]
    assert "Set14" in found.doubts[1]
    for before in ("champion:2", "champion:99"):  # of another version
        chained = replace(start_of("T91"), before=before, before_digest="0" * 64)
        assert seen(chained, "T91", [], ["Set5"]).doubts == (
            f"net.safetensors itself was started from {before}, whose training images were not compared",
        )


def test_what_the_network_before_was_trained_on_counts() -> None:
    chained = replace(start_of("my/photos"), before="champion:2", before_digest=named_start("champion:2").digest)
    first = champion_card(2).origin
    found = seen(chained, "T91+BSDS300/train", [first.validation[0], "T91/t1"], ["Set5"])
    assert found.images == ("T91/t1",)
    (doubt,) = found.doubts
    assert doubt.startswith("the images of BSDS300/train, T91 were not compared with my/photos")


def test_a_test_image_in_the_training_set_is_seen() -> None:
    line = "302003 shows woman_GT of Set5 at scale 0.71"
    start = start_of("BSDS300/train", overlap=(line,))
    assert seen(start, "T91", [], ["Set5"]).images == (line,)
    assert seen(start, "T91", [], ["Set14"]).images == ()
    text = refusal(start, seen(start, "BSDS300/train", ["1", "2", "3", "4"], ["Set5"]).images)
    assert "\n" not in text
    assert text.startswith("start: net.safetensors was trained on 5 images that this run measures, BSDS300/train/1,")
    assert "and 2 more" in text


def test_other_weights_are_refused() -> None:
    start = named_start("champion:3")
    assert checked(start, "") is checked(start, start.digest) is start
    with pytest.raises(
        ConfigError, match=r"start: the weights of champion:3 must have digest 00000.*, but have"
    ) as found:
        checked(start, "0" * 64)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("extra", [{"origin": [1]}, {"origin": 1}, {"tests": 1}, {"tests": {"Set5": 1}}], ids=str)
def test_a_file_whose_origin_is_none_is_refused(tmp_path: Path, extra: dict[str, object]) -> None:
    network, path = SRCNN(ModelConfig(kernels=(3, 3), filters=(2,))), tmp_path / "n.safetensors"
    save_network(path, network.state_dict(), network.config, extra)
    with pytest.raises(
        CheckpointError, match=r"n\.safetensors: damaged, extra: origin must be an object and tests a list"
    ):
        file_start("n", path)
