"""A specification survives JSON and Ray Tune unchanged."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest
from ray.tune.search.variant_generator import generate_variants

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.tuning.trials.spec import TrialSpec

CONFIG = TrainConfig(kernels=(9, 5, 5), filters=(128, 64), scale=4, learning_rate=3.14159e-4, pixels=6e7, seed=2**40)
WHOLE = TrialSpec(
    CONFIG,
    {"n1": 128, "kernels": "9-5-5", "learning_rate": 3.14159e-4, "augment": True, "clip": None},
    reference=True,
    data="T91 x4",
    label="a row",
    tags={"srcnn.cell": "abc"},
)


@pytest.mark.parametrize("spec", [WHOLE, TrialSpec(CONFIG)])
def test_nothing_is_lost_on_the_way(spec: TrialSpec) -> None:
    assert TrialSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert TrialSpec.from_tune(pickle.loads(pickle.dumps(spec.to_tune()))) == spec


def test_tune_finds_nothing_in_it_to_vary() -> None:
    (found,) = generate_variants(WHOLE.to_tune())
    assert TrialSpec.from_tune(found[1]) == WHOLE


def test_names_and_keys() -> None:
    plain = TrialSpec(CONFIG)
    assert plain.name == "x4 9-5-5 (128-64) lr 3.1e-04" and WHOLE.name == "a row"
    for start, shown in (("champion:2", "champion:2"), ("runs/a/network.safetensors", "network.safetensors")):
        warm = replace(plain, config=plain.config.replace(start=start, start_digest="0" * 64))
        assert warm.name == f"{plain.name} from {shown}"
    assert (plain.data_key, WHOLE.data_key) == (4, "T91 x4")
    assert plain.scale == 4


def test_a_field_of_another_version_is_named() -> None:
    data = WHOLE.to_json()
    data["config"]["dropout"] = 0.5
    with pytest.raises(ConfigError, match="field 'dropout' does not exist"):
        TrialSpec.from_json(data)
