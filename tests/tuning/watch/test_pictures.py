"""The pictures are well-formed, show what they should, and escape names."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

from srcnn.tuning.watch.pictures import curves, sparkline
from srcnn.tuning.watch.state import Trial

from watch_states import HOSTILE, trial


def made(key: str, curve: tuple[float, ...] = (0.1, 0.4, 0.5), **fields: Any) -> Trial:
    return Trial.model_validate(trial(key, curve, **fields))


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def heights(line: ElementTree.Element) -> list[float]:
    return [float(point.split(",")[1]) for point in line.attrib["points"].split()]


def test_a_sparkline_rises_with_its_curve_and_leaves_room_for_the_epochs_to_come() -> None:
    picture = parsed(sparkline(made("a")))
    points = [tuple(map(float, pair.split(","))) for pair in picture[0].attrib["points"].split()]
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)  # y counts downwards
    assert max(x for x, _ in points) < float(picture.attrib["width"]) / 3  # three of nine epochs
    assert picture.attrib["aria-label"] == "gain from +0.100 dB to +0.500 dB in 3 epochs"
    assert sparkline(made("a", (0.1,))) == ""
    assert sparkline(made("a", (0.1, math.nan))) == ""
    assert parsed(sparkline(made("a", (0.3, 0.3)))) is not None  # a flat one divides by nothing


def test_all_curves_of_a_scale_with_the_best_on_top() -> None:
    trials = [
        made("best", (0.1, 0.8)),
        made("paper", (0.2, 0.6), reference=True, state="finished"),
        made("runs", (0.2, 0.5)),
        made("stopped", (0.1, 0.3), state="stopped"),
        made("short", (0.2,)),
        made("none", ()),
        made("other", (9.0, 9.0), scale=2),
    ]
    picture = parsed(curves(trials, 3, "best"))
    assert picture.attrib["aria-label"] == "x3: gain over bicubic after every epoch, 5 trials"
    lines = [line for line in picture.iter() if line.attrib.get("class", "").startswith(("line", "dot"))]
    assert [line.attrib["class"].split()[1] for line in lines] == ["other", "running", "running", "paper", "best"]
    assert lines[-1].attrib["class"] == "line best"
    titles = [title.text or "" for title in picture.iter("title")]
    assert any(text == "x3 9-1-5 paper: the paper's network, finished, +0.600 dB after 2 epochs" for text in titles)
    assert curves(trials, 4, None) == ""


def test_first_epochs_far_below_do_not_flatten_the_rest() -> None:
    trials = [made(str(i), (-30.0, *(0.5 + 0.01 * i,) * 8)) for i in range(5)]
    picture = parsed(curves(trials, 3, "4"))
    lines = [line for line in picture.iter() if line.tag.endswith("polyline")]
    ends = [heights(line)[-1] for line in lines]
    assert max(ends) - min(ends) > 100  # pixels, of 300


def test_names_are_escaped() -> None:
    text = curves([made("a", name=HOSTILE), made("b", name=HOSTILE)], 3, "a")
    assert "<script" not in text and "<img" not in text
    assert any(HOSTILE in (title.text or "") for title in parsed(text).iter("title"))


def test_many_trials_and_odd_numbers() -> None:
    trials = [made(str(i), (0.1, 0.2 + i / 1000)) for i in range(600)]
    assert len(list(parsed(curves(trials, 3, "599")).iter("polyline"))) == 400
    assert parsed(curves([made("a", (math.nan, 0.5, math.inf))], 3, None)) is not None
    assert parsed(curves([made("a", (0.5,), epochs=1)], 3, None)) is not None
