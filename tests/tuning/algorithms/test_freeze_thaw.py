"""The scheduler with pauses beside its searcher, driven by the calls of Tune's controller (in a replay of a made-up table)."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from srcnn.tuning.algorithms.freeze_thaw import FreezeThaw
from srcnn.tuning.algorithms.pauses import Pauses
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space

from space_text import write

SPACE = """
parameters:
  n1: {type: categorical, choices: [8, 16, 32, 64]}
  n2: {type: categorical, choices: [8, 16, 32]}
constants:
  scale: 3
"""


class Controller:
    """What a scheduler uses of Tune's controller, with one worker."""

    def __init__(self, space: Space, trials: int, slots: int = 1, **options: int) -> None:
        self.searcher = StudySearcher(space, 1, {}, sampler="curves", pauses=True, **options)  # type: ignore[arg-type]
        self.scheduler = FreezeThaw()
        self.scheduler.use_searcher(self.searcher)
        self.pauses.use_limits(trials, lambda: slots)
        self.trials: list[Trial] = []
        self.epochs: dict[str, int] = {}
        self.finished = False
        self.paused = 0

    @property
    def pauses(self) -> Pauses:
        assert self.searcher.pauses is not None
        return self.searcher.pauses  # another object after a restore

    def stop_trial(self, trial: Trial) -> None:
        self.scheduler.on_trial_remove(self, trial)
        self.searcher.on_trial_complete(trial.trial_id)
        trial.status = Trial.TERMINATED

    def step(self) -> bool:
        """Start what can start, then run one epoch of it. Return whether anything happened."""
        if not self.finished:
            name = f"t{len(self.trials)}"
            config = self.searcher.suggest(name)
            if config == Searcher.FINISHED:
                self.finished = True
            elif isinstance(config, dict):
                trial = Trial("made_up", config=config, trial_id=name, stub=True)
                self.trials.append(trial)
                self.epochs[name] = 0
                self.scheduler.on_trial_add(self, trial)
        chosen = self.scheduler.choose_trial_to_run(self)
        if chosen is not None:
            chosen.status = Trial.RUNNING
        for trial in self.trials:
            if trial.status == Trial.RUNNING:
                self._report(trial)
                return True
        return chosen is not None or any(t.status in (Trial.PENDING, Trial.RUNNING) for t in self.trials)

    def _report(self, trial: Trial) -> None:
        epoch = self.epochs[trial.trial_id] = self.epochs[trial.trial_id] + 1
        width = int(self.pauses.allocator.known[trial.trial_id].params["n1"] or 0)
        slow = width / 64  # wide networks start slowly and end ahead
        values = [0.3 - 0.2 * slow + (0.2 + 0.5 * slow) * (e + 1) / 9 for e in range(epoch)]
        result = {
            "objective": values[-1], "best_objective": max(values), "epoch": epoch, "epochs": 9, "curve": values,
            "epoch_seconds": 1.0,
        }  # fmt: skip
        decision = self.scheduler.on_trial_result(self, trial, result)
        self.searcher.on_trial_result(trial.trial_id, result)
        trial.run_metadata.last_result = result
        if epoch == 9:
            self.scheduler.on_trial_complete(self, trial, result)
            self.searcher.on_trial_complete(trial.trial_id, result)
            trial.status = Trial.TERMINATED
        elif decision == FreezeThaw.PAUSE:
            trial.status = Trial.PAUSED
            self.paused += 1


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return load_space(write(tmp_path, SPACE))


def test_a_search_begins_all_its_trials_and_closes_those_that_wait(space: Space) -> None:
    controller = Controller(space, trials=10)
    for _ in range(400):
        if not controller.step() and controller.finished:
            break
    assert controller.finished
    assert len(controller.trials) == 10
    assert controller.paused > 0
    assert {t.status for t in controller.trials} == {Trial.TERMINATED}
    states = [t.state for t in controller.searcher.study.trials]
    assert set(states) == {TrialState.COMPLETE, TrialState.PRUNED}
    assert states.count(TrialState.COMPLETE) >= 3


def test_networks_that_start_slowly_are_resumed(space: Space) -> None:
    """The wide ones are last after an epoch and ahead at the end."""
    controller = Controller(space, trials=12)
    for _ in range(400):
        if not controller.step() and controller.finished:
            break
    known = controller.pauses.allocator.known.values()
    assert max(len(t.curve) for t in known if t.params["n1"] == 64) == 9


def test_trials_that_wait_go_on_waiting_after_a_restore(space: Space, tmp_path: Path) -> None:
    before = Controller(space, trials=10)
    while before.paused < 2:
        before.step()
    waiting = [t for t in before.trials if t.status == Trial.PAUSED]
    before.searcher.save(str(tmp_path / "state"))
    after = Controller(space, trials=10)
    after.searcher.restore(str(tmp_path / "state"))
    for trial in before.trials:  # Tune makes every trial of a restored search pending, then adds it
        if trial.status != Trial.TERMINATED:
            trial.status = Trial.PENDING
        after.trials.append(trial)
        after.epochs[trial.trial_id] = before.epochs[trial.trial_id]
        after.scheduler.on_trial_add(after, trial)
    assert waiting
    assert all(t.status == Trial.PAUSED for t in waiting)
    for _ in range(400):
        if not after.step() and after.finished:
            break
    assert len(after.trials) == 10
    assert {t.status for t in after.trials} == {Trial.TERMINATED}


def test_a_repeated_report_changes_nothing(space: Space) -> None:
    """A trial that is resumed sends its last report again."""
    controller = Controller(space, trials=4)
    while not controller.paused:
        controller.step()
    waiting = next(t for t in controller.trials if t.status == Trial.PAUSED)
    known = controller.pauses.allocator.known[waiting.trial_id]
    seconds = known.seconds
    assert controller.scheduler.on_trial_result(controller, waiting, waiting.last_result) == FreezeThaw.CONTINUE
    assert known.seconds == seconds


def test_no_more_than_the_slots_run(space: Space) -> None:
    controller = Controller(space, trials=10, slots=1)
    assert isinstance(controller.searcher.suggest("a"), dict)
    assert controller.searcher.suggest("b") is None


def test_no_trial_pauses_while_another_waits_for_a_process(space: Space) -> None:
    """Tune would give the pausing trial's process to the other, and give up the one that is starting."""
    controller = Controller(space, trials=10)
    while controller.paused < 1:
        controller.step()
    running = next(t for t in controller.trials if t.status == Trial.PAUSED)
    starting = Trial("made_up", config=running.config, trial_id="starting", stub=True)
    controller.scheduler.on_trial_add(controller, starting)
    curve = [0.01] * 8
    report = {"objective": 0.01, "best_objective": 0.01, "epoch": 8, "epochs": 9, "curve": curve, "epoch_seconds": 1.0}
    assert controller.scheduler.on_trial_result(controller, running, report) == FreezeThaw.CONTINUE


def test_a_trial_whose_process_is_lost_while_it_pauses_runs_on(space: Space) -> None:
    """Tune makes it pending and adds it again; its status must then not change, because Tune has counted it as pending."""
    controller = Controller(space, trials=10)
    while controller.paused < 1:
        controller.step()
    lost = next(t for t in controller.trials if t.status == Trial.PAUSED)
    controller.scheduler.on_trial_error(controller, lost)
    lost.status = Trial.PENDING
    controller.scheduler.on_trial_add(controller, lost)
    assert lost.status == Trial.PENDING
    assert controller.scheduler.choose_trial_to_run(controller) == lost
    assert controller.pauses.allocator.known[lost.trial_id].state == "running"


def test_every_decision_is_kept_with_its_trial(space: Space) -> None:
    controller = Controller(space, trials=10)
    while controller.paused < 3:
        controller.step()
    kinds = {
        trial.trial_id: [d.kind for d in controller.pauses.reasons.of(trial.trial_id)] for trial in controller.trials
    }
    assert all(found[0] == "start" for found in kinds.values())
    assert sum(found.count("pause") for found in kinds.values()) == 3
