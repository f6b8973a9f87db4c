"""What a search leaves on its own run, on its trials and in the registry; one real search, and a listener by hand."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from srcnn.config.training import TrainConfig
from srcnn.imaging.image_files import read_image
from srcnn.tuning.driver.events import Event
from srcnn.tuning.tracking.reader import fields_of
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.search_run import BestSoFar

from browsed_search import Browsed


def ended(trial: str, gain: float, outcome: Outcome = Outcome.FINISHED, stage: str = "search", scale: int = 3) -> Event:
    report = TrialReport(9, 9, (gain,), EpochFigures(gain, best_val_gain=gain))
    return Event("end", trial, trial, TrialSpec(TrainConfig(scale=scale)), stage, 9, report, outcome)


def test_the_best_so_far_is_a_curve_over_the_trials_that_ended_and_goes_on_after_a_resume(
    tmp_path: Path, empty: Path
) -> None:
    shutil.copy(empty, tmp_path)
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    tracker.open_search("s", {}, {})
    before = [ended("a", 1.0, Outcome.STOPPED), ended("b", 0.5), ended("c", 0.75)]
    listener = BestSoFar(tracker)
    for event in (*before, ended("d", 9.0, stage="confirm")):
        listener(event)
    listener = BestSoFar(tracker)  # of the resumed search
    for event in before:
        listener(replace(event, kind="restored"))
    listener(replace(ended("e", 9.0, Outcome.INTERRUPTED), kind="restored"))
    for event in (ended("f", 0.25, scale=2), ended("g", 0.6)):
        listener(event)

    def curve(scale: int) -> list[tuple[int, float]]:
        history = tracker.client.get_metric_history(tracker.parent_id, f"best/x{scale}/val_gain")
        return [(metric.step, metric.value) for metric in history]

    assert curve(3) == [(2, 0.5), (3, 0.75), (4, 0.75)]
    assert curve(2) == [(1, 0.25)]


def test_a_run_has_its_data_sets_with_digests(browsed: Browsed) -> None:
    parent = browsed.parent
    found = {one.tags[0].value: one.dataset for one in parent.inputs.dataset_inputs}
    assert found.keys() == {"training", "validation", "judging", "test"}
    assert found["training"].digest == parent.data.tags["data.digest"]
    for child in browsed.children:
        (one,) = child.inputs.dataset_inputs
        assert (one.dataset.digest, one.tags[0].value) == (found["training"].digest, "training")


def test_trials_have_what_varies_as_parameters_and_the_rest_in_a_file(browsed: Browsed) -> None:
    for child in browsed.children:
        assert child.data.params.keys() == {
            *("n1", "n2", "kernels", "learning_rate", "scale"),
            *("filters", "pixels", "seed"),
        }
        fields = fields_of(child.data.params, child.data.tags)
        assert TrainConfig.model_fields.keys() <= fields.keys() and fields["patch_size"] == "24"
        file = Path(browsed.client.download_artifacts(child.info.run_id, "config.yaml"))
        assert 'patch_size: "24"' in file.read_text(encoding="utf-8")
        if child.data.tags["outcome"] == "finished":
            assert child.data.metrics["macs"] > 0 and child.data.metrics["parameters"] > 0


def test_a_folder_as_test_set_gives_its_last_name_to_metrics(browsed: Browsed) -> None:
    metrics = browsed.parent.data.metrics
    assert {f"champion/x{scale}/test/psnr" for scale in (2, 3)} <= metrics.keys()
    assert not [name for name in metrics if browsed.folder.name in name]
    assert metrics["took_seconds"] == pytest.approx(browsed.result.seconds)


def test_the_best_so_far_ends_with_the_best(browsed: Browsed) -> None:
    for scale in (2, 3):
        history = browsed.client.get_metric_history(browsed.result.run_id, f"best/x{scale}/val_gain")
        values = [metric.value for metric in sorted(history, key=lambda metric: metric.step)]
        assert values == sorted(values) and values[-1] == browsed.result.of_scale(scale)[0].val_gain
        assert len({metric.step for metric in history}) == len(history)


def test_champions_have_pictures(browsed: Browsed) -> None:
    for choice in browsed.result.choices:
        inside = f"pictures/x{choice.scale}"
        listed = json.loads(
            Path(browsed.client.download_artifacts(browsed.result.run_id, f"{inside}/pictures.json")).read_text()
        )
        assert {one["image"] for one in listed} == {"astronaut", "camera"}
        for one in listed:
            for kind in ("original", *one["psnr"]):
                name = f"{inside}/{one['image']}-{kind}.png"
                picture = read_image(Path(browsed.client.download_artifacts(browsed.result.run_id, name)))
                assert picture.shape == (one["height"], one["width"], 3)
        assert f"![champion](get-artifact?path={inside}" in browsed.parent.data.tags["mlflow.note.content"]


def test_registered_models_and_runs_lead_to_each_other(browsed: Browsed) -> None:
    parent, runs = browsed.parent, {run.info.run_id: run for run in browsed.children}
    for scale in (2, 3):
        (version,) = browsed.client.search_model_versions(f"name='srcnn-x{scale}'")
        address = f"models:/srcnn-x{scale}/{version.version}"
        assert parent.data.tags[f"srcnn.champion.x{scale}"] == address
        assert runs[version.run_id].data.tags["srcnn.registered"] == address
        assert version.tags["search.run"] == parent.info.run_id and version.tags["trial.run"] == version.run_id
        for text in (parent.data.tags["data.digest"], f"runs/{parent.info.run_id}", f"runs/{version.run_id}"):
            assert text in version.description
