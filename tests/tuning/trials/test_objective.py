"""The paper's own gain counts as 1 at every scale (ECCV 2014, table 1)."""

from __future__ import annotations

import pytest

from srcnn.tuning.trials.objective import normalized_gain
from srcnn.tuning.trials.published import printed

BICUBIC = {2: 33.66, 3: 30.39, 4: 28.42}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_papers_gain_is_one(scale: int) -> None:
    figure = printed("Set5", scale)
    assert figure is not None
    assert normalized_gain(figure - BICUBIC[scale], scale) == pytest.approx(1.0, abs=1e-9)
    assert normalized_gain(0.0, scale) == 0.0
