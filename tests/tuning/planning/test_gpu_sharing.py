"""How many trials share a GPU."""

from __future__ import annotations

import pytest

from srcnn.tuning.planning.gpu_sharing import gpu_share

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
