"""Past trials survive their text, and a damaged text is refused with its place."""

from __future__ import annotations

import pytest

from srcnn.errors import SearchError
from srcnn.tuning.trials.past import PastTrial, past_from, past_json

TRIALS = (
    PastTrial({"kernels": "9-5-5", "n1": 64, "residual": True}, 3, (0.1, 0.25), 9, 8e6, 12.5, False, "a"),
    PastTrial({"kernels": "9-1-5", "learning_rate": 1.2345678e-4}, 2, (), 9, 8e6, None, True, "b"),
)


def test_the_text_gives_the_same_trials() -> None:
    assert past_from(past_json(TRIALS), "past.json") == TRIALS
    assert past_from(past_json(()), "past.json") == ()


@pytest.mark.parametrize("text", ["", "[]", '{"trials": [{"scale": 3}]}', past_json(TRIALS)[:-40], '{"trials": 3}'])
def test_a_damaged_text_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(SearchError, match=r"^learn_from: somewhere/past.json must hold .* damaged") as refused:
        past_from(text, "somewhere/past.json")
    assert "\n" not in str(refused.value)
