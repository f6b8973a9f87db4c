"""How many trials share a GPU."""

from __future__ import annotations

import pytest

from srcnn.errors import ConfigError
from srcnn.tuning.planning.gpu_sharing import gpu_share
from srcnn.tuning.planning.settings import SearchSettings

GIB = 2**30


@pytest.mark.parametrize(
    ("peak", "total", "share"),
    [
        (4.0, 80.0, 1 / 14),  # 5 GiB with the margin and 0.56 for CUDA itself: 14 of them in 80
        (0.01, 80.0, 1 / 16),  # never more than sixteen
        (30.0, 80.0, 1 / 2),
        (50.0, 80.0, 1.0),
        (200.0, 80.0, 1.0),  # it will not fit at all, and says so itself
    ],
)
def test_a_share_leaves_room_for_what_was_seen_and_more(peak: float, total: float, share: float) -> None:
    assert gpu_share(peak * GIB, total * GIB) == pytest.approx(share)


def test_a_share_is_a_number_or_auto() -> None:
    assert SearchSettings(name="x", gpus_per_trial="0.25").gpu_share == 0.25
    assert SearchSettings(name="x", gpus_per_trial="auto").gpu_share == 1.0
    for wrong in ("-1", "1.5", "some"):
        with pytest.raises(ConfigError, match="gpus_per_trial"):
            SearchSettings(name="x", gpus_per_trial=wrong)


def test_a_search_far_away_needs_places_that_both_sides_know() -> None:
    far = {"name": "x", "address": "ray://10.0.0.1:10001", "tracking_uri": "http://10.0.0.5:5000"}
    assert SearchSettings(**far, storage="/srv/storage").is_remote
    with pytest.raises(ConfigError, match="storage: with ray://"):
        SearchSettings(**far)
    with pytest.raises(ConfigError, match="tracking_uri: with ray://"):
        SearchSettings(**{**far, "tracking_uri": "sqlite:///mlflow.db"}, storage="/srv/storage")
    with pytest.raises(ConfigError, match="storage: must be a folder that all machines can access"):
        SearchSettings(name="x", storage="s3://bucket/searches")
