"""Settings that break a rule or contradict each other, and times as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from srcnn.errors import ConfigError, SearchError
from srcnn.system.atomic_file import atomic_write
from srcnn.tuning.planning.settings import (
    SearchSettings,
    has_begun,
    keep_past,
    kept_past,
    load_settings,
    parse_duration,
    save_settings,
)
from srcnn.tuning.trials.past import PastTrial


def settings(name: str, **fields: object) -> SearchSettings:
    given: dict[str, Any] = {"name": name, "space": "space.yaml", "train": "train", "test": ("test",)}
    given |= {"validation": 2, "budget": 150e3, "confirm": False, "gpus_per_trial": 0}
    return SearchSettings(**{**given, **fields})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sampler": "tpa"}, ("sampler", "tpa", "tpe")),
        ({"scheduler": "ahsa"}, ("scheduler", "ahsa", "asha")),
        ({"objectives": ("gain", "mcas")}, ("objective", "mcas", "macs")),
        ({"objectives": ("macs",)}, ("objectives", "gain", "macs")),
        ({"objectives": ("gain", "macs"), "scheduler": "asha"}, ("scheduler", "none", "asha")),
        ({"objectives": ("gain", "macs"), "sampler": "cmaes"}, ("sampler", "cmaes")),
        ({"confirm_seeds": 1}, ("confirm_seeds", "2")),
    ],
)
def test_settings_that_contradict_each_other_are_refused(fields: dict[str, object], words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        settings("x", **fields)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("30m", 1800), ("1h30m", 5400), ("90s", 90), ("45", 45), ("1.5h", 5400)]
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "2 hours", "0m", "-1h"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="time_budget"):
        parse_duration(text)


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


@pytest.mark.parametrize(
    ("field", "value"),
    [("trials", 0), ("scales", (5,)), ("budget", 0), ("gpus_per_trial", 1.5), ("cpus_per_trial", 0), ("name", "a/b")],
)
def test_a_setting_that_breaks_a_rule_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field.removesuffix("s")):
        SearchSettings(**{"name": "x", field: value})


def test_resuming_needs_a_search_of_that_name(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="there is no search in"):
        load_settings(None, str(tmp_path), {})


def test_the_time_of_a_resumed_search_grows_with_its_trials_alone(tmp_path: Path) -> None:
    """With the trials of before, a search that has ended has its confirmation already, and would keep it."""
    save_settings(SearchSettings(name="a", storage=str(tmp_path), trials=5, time_budget=60.0))
    save_settings(SearchSettings(name="b", storage=str(tmp_path), trials=5))

    def resumed(name: str = "a", **changes: Any) -> SearchSettings:
        return load_settings(name, str(tmp_path), changes)

    assert resumed(trials=6, time_budget=90.0).time_budget == 90.0
    assert resumed(time_budget=60.0) == resumed()
    wrong: tuple[dict[str, Any], ...] = (
        {"time_budget": 90.0},
        {"time_budget": 30.0, "trials": 6},
        {"time_budget": 30.0},
    )
    for changes in wrong:
        with pytest.raises(
            ConfigError, match=r"^time_budget: may only grow .* and only with more trials; a has 60 s and 5 tr"
        ):
            resumed(**changes)
    with pytest.raises(ConfigError, match="time_budget: must not change in a resumed search; b has None"):
        resumed("b", trials=6, time_budget=90.0)


@pytest.mark.parametrize(
    ("given", "objectives", "stopping"),
    [
        ("auto", ("gain",), "asha"),
        ("auto", ("gain", "macs"), "none"),
        ("none", ("gain",), "none"),
        ("asha", ("gain",), "asha"),
    ],
)
def test_a_search_that_asks_for_no_scheduler_has_none(given: str, objectives: tuple[str, ...], stopping: str) -> None:
    assert settings("x", scheduler=given, objectives=objectives).stopping == stopping


def test_past_searches_are_other_searches() -> None:
    assert settings("x", learn_from=("a", "b")).learn_from == ("a", "b")
    with pytest.raises(
        ConfigError, match=r"learn_from: must go with the sampler curves or .* but got the sampler 'tpe'"
    ):
        settings("x", learn_from=("a",), sampler="tpe")
    assert settings("x", learn_from=("a",), sampler="tpe", scheduler="freeze-thaw").learn_from == ("a",)
    with pytest.raises(ConfigError, match="learn_from: must go with one objective, but got several"):
        settings("x", learn_from=("a",), objectives=("gain", "macs"))
    with pytest.raises(ConfigError, match="learn_from: must be names of searches, or all alone, but got all,a"):
        settings("x", learn_from=("all", "a"))
    with pytest.raises(ConfigError, match="learn_from: must name other searches, but got x, the search itself"):
        settings("x", learn_from=("x",))


def test_a_search_that_was_killed_before_its_settings_were_written_has_not_begun(tmp_path: Path) -> None:
    """Else its name could neither be used again nor resumed."""
    settings = SearchSettings(name="a", storage=str(tmp_path))
    assert not has_begun(settings.folder)
    with pytest.raises(KeyboardInterrupt), atomic_write(settings.folder / "search.json"):
        raise KeyboardInterrupt
    assert settings.folder.exists()
    with atomic_write(settings.folder / "search.json") as killed:
        killed.write_text("{")
        (settings.folder / killed.name.replace("writing-", "writing-0")).write_text("{")  # a kill leaves such a file
    (settings.folder / "search.json").unlink()
    assert not has_begun(settings.folder)
    save_settings(settings)
    assert has_begun(settings.folder)
    (tmp_path / "file").write_text("")
    assert has_begun(tmp_path / "file")


def test_what_a_search_learns_from_is_kept_once(tmp_path: Path) -> None:
    one = settings("x", learn_from=("all",), storage=str(tmp_path))
    past = PastTrial({"n1": 8}, 3, (0.1,), 9, 900.0, None, False, "a")
    assert kept_past(one) is None
    keep_past(one, [past])
    keep_past(one, [])  # the store may have changed since
    assert kept_past(one) == (past,)
    file = tmp_path / "x" / "past.json"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(SearchError, match=f"learn_from: {file} must hold"):
        kept_past(one)
    none = settings("y", storage=str(tmp_path))
    keep_past(none, [past])
    assert kept_past(none) is None
    assert not none.folder.exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"ladder": "many"},
            "ladder: must be auto, none, or whole numbers joined by commas, such as 9,5, but got 'many'",
        ),
        (
            {"ladder": "9, 5"},
            "ladder: must be auto, none, or whole numbers joined by commas, such as 9,5, but got '9, 5'",
        ),
        ({"ladder": "20,9,8,7,6"}, "ladder: must have at most 4 numbers, but got '20,9,8,7,6'"),
        (
            {"ladder": "9,3"},
            "ladder: each number must be greater than the next, and the last greater than best, 3, but got '9,3'",
        ),
        ({"ladder": "9,5", "confirm": False}, "ladder: must be auto or none without a confirmation, but got '9,5'"),
    ],
)
def test_mistakes_in_a_ladder(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings("x", **{"confirm": True, **fields})
    assert str(caught.value) == message


def test_the_rungs_of_a_ladder() -> None:
    found = [settings("x", confirm=True, ladder=text).rungs for text in ("auto", "none", "9", "9,5")]
    assert found == [None, (), (9,), (9, 5)]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"trials": 10**12}, "trials: .*100000"),
        ({"budget": 1e300}, "budget: "),
        ({"best": 10**9}, "best: .*1000"),
        (
            {"best": 1000, "choice_seeds": 500, "confirm": True},
            r"best: best \* \(choice_seeds \+ .*1000 \* \(500 \+",
        ),
        ({"cpus_per_trial": 1025}, "cpus_per_trial: .*1024"),
        ({"time_budget": 1e12}, "time_budget: "),
        ({"gpus_per_trial": 1e9}, "gpus_per_trial: must be auto"),
        ({"storage": ""}, "storage: "),
        ({"train": ""}, "train: "),
        ({"test": ("a", "")}, "test: no name may be empty, but got 'a,'"),
        ({"test": ()}, "test: must name at least one set"),
        ({"data_root": " "}, "data_root: must be a folder"),
    ],
)
def test_bounds_far_above_any_use_and_names_that_are_empty(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=f"^{says}"):
        settings("x", **fields)


def test_a_name_becomes_part_of_names_of_files() -> None:
    assert settings("x" * 100).name == "x" * 100
    with pytest.raises(ConfigError, match=r"^name: .*100 characters"):
        settings("x" * 101)


def test_times_have_ascii_digits() -> None:
    for text in ("\u0661h", "\u00b2"):
        with pytest.raises(ConfigError, match="time_budget: must be a time such as 2h"):
            parse_duration(text)
