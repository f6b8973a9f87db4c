"""What a search trains on and chooses by, on the real sets where they are on disk, and input that it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from srcnn.champions.start import named_start
from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.data.known_sets import data_root
from srcnn.errors import ConfigError, DataError
from srcnn.imaging.image_files import read_image, write_image
from srcnn.tuning.planning.plan import plan_search
from srcnn.tuning.planning.settings import SearchSettings, keep_past

from checkout import SPACES
from past_store import PastStore
from planned_search import plan

SPACE = SPACES / "default.yaml"


def sides(train: str, seed: int) -> tuple[set[str], set[str]]:
    """Names of the training and validation images of a search that is measured on Set5."""
    for name in (*train.split("+"), "Set5"):
        if not (data_root() / name).is_dir():
            pytest.skip(f"{name} is not on disk")
    plan = plan_search(SearchSettings(name="plan", space=str(SPACE), train=train, test=("Set5",), seed=seed))

    def names(images: ImageSet) -> set[str]:
        return {name for name, _ in images.images}

    return names(plan.training), names(plan.validation)


def test_no_search_trains_on_302003_which_is_set5s_woman() -> None:
    training, validation = sides("T91+BSDS300/train", 123)
    assert "BSDS300/train/302003" not in training | validation
    assert (len(training), len(validation)) == (266, 12)


@pytest.mark.parametrize("seed", [5, 8, 13])
def test_t36_and_t65_of_t91_which_are_the_same_pixels_are_on_one_side(seed: int) -> None:
    for side in sides("T91", seed):
        assert ("t36" in side) == ("t65" in side)


def test_the_validation_images_of_t91_are_those_of_every_earlier_search() -> None:
    assert sides("T91", 123)[1] == {"t10", "t12", "t25", "t38", "t44", "t59", "t60", "tt10", "tt19"}


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"validation": 10}, DataError, ("validation", "10")),
        ({"train": "nowhere"}, DataError, ("nowhere",)),
        ({"test": ("Set55",)}, DataError, ("Set55", "Set5")),
        ({"space": "spaec.yaml"}, ConfigError, ("spaec.yaml",)),
        ({"train": "tiny"}, DataError, ("patch_size", "24")),
    ],
)
def test_bad_input_is_refused_before_anything_starts(
    workplace: Path, fields: dict[str, object], error: type[Exception], words: tuple[str, ...]
) -> None:
    (workplace / "tiny").mkdir()
    for file in (workplace / "train").iterdir():
        write_image(workplace / "tiny" / file.name, read_image(file)[:20, :20])
    given: dict[str, Any] = {
        "space": "space.yaml",
        "train": "train",
        "test": ("test",),
        "validation": 2,
        "confirm": False,
    }
    with pytest.raises(error) as caught:
        plan_search(SearchSettings(name="bad", **{**given, **fields}))
    for word in words:
        assert word in str(caught.value)
    assert not (workplace / "mlruns").exists()


def test_the_bundled_sample_has_enough_images_to_choose_and_to_judge(workplace: Path) -> None:
    (workplace / "x.yaml").write_text((workplace / "space.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    plan = plan_search(SearchSettings(name="s", space="x.yaml"))
    assert (len(plan.validation), len(plan.judging)) == (6, 4)
    parts = [{name for name, _ in images.images} for images in (plan.training, plan.validation, plan.judging)]
    assert set.union(*parts) == {name for name, _ in load("sample/train").images}
    assert sum(map(len, parts)) == 14


def test_a_plan_holds_what_it_learns_from(workplace: Path, past_store: PastStore) -> None:
    space = Path("space.yaml").read_text(encoding="utf-8").replace("[8]", "[4, 8]")
    Path("space.yaml").write_text(space, encoding="utf-8")
    past_store.open("a")
    past_store.trial("t0", [0.1, 0.2], patch_size=24)
    past_store.trial("t1", [0.1, 0.2])  # another patch_size than the space's
    past_store.close()
    made = plan(tracking_uri=past_store.uri, learn_from=("a",))
    assert [(t.source, t.curve, t.params["n2"]) for t in made.past] == [("a", (0.1, 0.2), 4)]
    assert made.past_skipped == 1
    assert plan(tracking_uri=past_store.uri).past == ()
    with pytest.raises(ConfigError, match="learn_from: search 'b' does not exist"):
        plan(tracking_uri=past_store.uri, learn_from=("b",))
    keep_past(made.settings, made.past)
    past_store.open("later")
    past_store.trial("t2", [0.1], patch_size=24)
    past_store.close()
    # A search that has begun learns from what it began with, whatever has ended since.
    everything = made.settings.replace(learn_from=("all",))
    assert plan_search(everything).past == made.past
    assert {t.source for t in plan_search(everything.replace(name="y")).past} == {"a", "later"}


def test_another_limit_of_weights_and_a_start_network(workplace: Path) -> None:
    text = Path("space.yaml").read_text(encoding="utf-8")
    first, _, side, _ = named_start("champion:2").weights["layers.0.weight"].shape  # a layer in common
    text = text.replace("[5-1-3, 5-3-3]", f"[{side}-1-3, {side}-3-3]").replace("[8, 16]", f"[{first}]")
    Path("space.yaml").write_text(
        f"{text}  start: champion:2\n" if "constants:" in text else f"{text}constants:\n  start: champion:2\n"
    )
    made = plan(max_parameters=5000)
    assert made.space.constraints.max_parameters == 5000
    assert made.space.to_config(made.space.corners()[0]).start_digest == made.starts["champion:2"].digest
    assert [text for text in made.warnings if "which champion:2 was trained" in text]
    with pytest.raises(ConfigError, match="max_parameters: must allow some configuration"):
        plan(max_parameters=5)


def test_late_sub_images_must_fit_into_some_image(workplace: Path) -> None:
    text = Path("space.yaml").read_text(encoding="utf-8")
    Path("space.yaml").write_text(text.replace("constants:", "constants:\n  late_patch_size: 6000"), encoding="utf-8")
    with pytest.raises(DataError, match=r"late_patch_size: some image of .* must be as large, but got 6000"):
        plan()


def test_what_this_machine_cannot_do_is_refused_with_the_plan(workplace: Path) -> None:
    text = Path("space.yaml").read_text(encoding="utf-8")
    Path("space.yaml").write_text(text.replace("batch_size: 8", "batch_size: 1000000"), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"^batch_size: a step of this network would take \S+ GiB, this machine has \S+ GiB"
    ):
        plan()
    with pytest.raises(ConfigError, match=r"^cpus_per_trial: this machine has \d+ cores?, but got 1024"):
        plan(cpus_per_trial=1024)
