"""The best are trained again, one is chosen and judged, and the champion is registered."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from srcnn.model.weights_file import load_network
from srcnn.tuning.planning.plan import plan_search
from srcnn.tuning.trials.verdict import read_verdicts
from srcnn.tuning.whole_search.run import run_search

from one_ray import one_ray
from small_search import children, settings

__all__ = ["one_ray"]  # a search and its resumption on one Ray


@pytest.mark.slow
def test_the_best_are_confirmed_and_the_champion_is_registered(with_store: Path) -> None:
    plan = plan_search(settings("first", trials=8, scales=(3,), confirm=True, best=2, max_concurrent=1))
    result = run_search(plan)
    (choice,) = result.choices
    assert len(choice.ranked) == 2
    means = [one.gains.mean() for one in choice.ranked]
    assert means == sorted(means, reverse=True)
    # Two seeds choose on the validation images; three others judge the winner on images that had no part in the choice.
    seeds = {row.config.seed for one in choice.ranked for row in one.rows}
    assert all(row.pattern_lead is not None for one in choice.ranked for row in one.rows)
    assert seeds == {plan.settings.seed + 1, plan.settings.seed + 2}
    assert {row.config.seed for row in choice.winner.judging_trials} == {
        plan.settings.seed + more for more in (3, 4, 5)
    }
    names = [{name for name, _ in images.images} for images in (plan.training, plan.validation, plan.judging)]
    assert sum(map(len, names)) == len(set.union(*names)) == 10
    assert choice.winner.gains.shape == (2, 2)
    assert choice.winner.judging_gains is not None
    assert choice.winner.judging_gains.shape == (3, 4)
    assert choice.ranked[1].judging_gains is None
    client, parent, runs = children("first")
    chose, judged = ([run for run in runs if run.data.tags["stage"] == stage] for stage in ("confirm", "judge"))
    assert (len(chose), len(judged)) == (4, 3)
    assert all(run.info.status == "FINISHED" for run in runs)
    champion = {row.trial_id for row in choice.winner.rows}
    for run in runs:  # what was not confirmed, and what chose the champion, never saw a test image
        measured = "test/test/x3/psnr" in run.data.metrics
        assert measured == (run in judged or (run in chose and run.data.tags["srcnn.trial"] not in champion))
    # What the store keeps as data is what the terminal shows, and the note says it in the same words.
    text = Path(client.download_artifacts(parent.info.run_id, "verdicts.json")).read_text(encoding="utf-8")
    assert read_verdicts(text) == result.verdicts
    (verdict,) = result.verdicts
    assert verdict.champion.gain == choice.winner.gain
    assert verdict.champion.val_gain == pytest.approx(choice.winner.gains.mean())
    assert {f"- {sentence}." for sentence in verdict.sentences()} <= set(
        parent.data.tags["mlflow.note.content"].splitlines()
    )
    board = Path(client.download_artifacts(parent.info.run_id, "confirmed.csv")).read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(board)))
    assert [line["step"] for line in lines] == ["choose", "choose", "judge", "judge", "judge", "choose", "choose"]
    version = client.get_model_version_by_alias("srcnn-x3", "champion")
    assert version.run_id in {run.info.run_id for run in judged}
    file = client.download_artifacts(version.run_id, "checkpoint/network.safetensors")
    assert load_network(Path(file)).config.kernels == choice.winner.rows[0].config.kernels
    assert result.champions == ("srcnn-x3@champion is version 1, the first",)

    again = run_search(plan, resume=True)
    assert [one.name for one in again.choices[0].ranked] == [one.name for one in choice.ranked]
    assert len(children("first")[2]) == len(runs)
    assert again.champions == ("srcnn-x3@champion is version 1, this search's",)
