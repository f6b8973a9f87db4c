"""The copy for Optuna's dashboard has every ended trial once, with its curve, state and values, whatever was killed before."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from srcnn.config.training import TrainConfig
from srcnn.tuning.driver.events import Event, EventKind
from srcnn.tuning.driver.optuna_mirror import FILE, OptunaMirror, dashboard_command, study_name
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.objective import PAPER_GAIN
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

SPACE = """\
parameters:
  n1: {type: categorical, choices: [8, 16]}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-3, log: true}
  scale: {type: categorical, choices: [2, 3]}
"""


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return space_in(tmp_path)


def space_in(folder: Path) -> Space:
    (folder / "space.yaml").write_text(SPACE, encoding="utf-8")
    return load_space(folder / "space.yaml")


def event(key: str, kind: EventKind = "end", outcome: Outcome | None = Outcome.FINISHED, **fields: Any) -> Event:
    """An event of a trial whose curve is 0.1, 0.2, ... of the paper's gain; of three epochs if it finished."""
    scale, rate = fields.pop("scale", 3), fields.pop("rate", 5e-4)
    config = TrainConfig(kernels=(5, 1, 3), filters=(8, 4), scale=scale, learning_rate=min(rate, 1e-2))
    spec = TrialSpec(config, {"n1": 8, "learning_rate": rate, "scale": scale}, fields.pop("reference", False))
    epoch = 3 if outcome is Outcome.FINISHED else 2
    curve = tuple(0.1 * (i + 1) for i in range(epoch))
    figures = EpochFigures(curve[-1], best_objective=curve[-1])
    report = TrialReport(epoch, 3, curve, figures, device="cpu", seconds=60.0)
    given = {"stage": "search", "trials": 9, "report": report, "outcome": outcome, **fields}
    return Event(kind, key, f"trial {key}", spec, **given)


def mirrored(folder: Path, space: Space, *events: Event, objectives: tuple[str, ...] = ("gain",)) -> None:
    mirror = OptunaMirror(folder, "today", space, objectives)
    for one in events:
        mirror(one)
    mirror.close()


def study(folder: Path, scale: int = 3) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(folder / FILE)))
    return optuna.load_study(study_name=study_name("today", scale), storage=storage)


def ids(folder: Path, scale: int = 3) -> list[str]:
    return [trial.user_attrs["trial_id"] for trial in study(folder, scale).trials]


def test_ended_trials_have_their_state_curve_values_and_distributions(tmp_path: Path, space: Space) -> None:
    mirrored(
        tmp_path,
        space,
        event("a", "start", None),
        event("a"),
        event("b", outcome=Outcome.STOPPED, reference=True),
        event("c", outcome=Outcome.FAILED, failure="DivergenceError: loss is NaN"),
        event("d", scale=2),
        event("e", "pause", None),
        event("f", stage="confirm"),
    )
    paper = PAPER_GAIN[3]
    first, second, third = study(tmp_path).trials
    assert (first.state, second.state, third.state) == (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    assert first.intermediate_values == pytest.approx({1: 0.1 * paper, 2: 0.2 * paper, 3: 0.3 * paper})
    assert first.value == pytest.approx(0.3 * paper)
    assert second.value == pytest.approx(0.2 * paper)  # as Optuna does: the last value of a trial that was pruned
    assert first.params == {"n1": 8, "learning_rate": 5e-4}
    assert first.distributions == {
        "n1": CategoricalDistribution((8, 16)),
        "learning_rate": FloatDistribution(1e-4, 1e-3, log=True),
    }
    assert first.user_attrs == {
        "name": "trial a", "scale": 3, "reference": False, "epochs": "3 of 3", "device": "cpu", "trial_id": "a",
    }  # fmt: skip
    assert second.user_attrs["reference"] is True
    assert third.user_attrs["failure"] == "DivergenceError: loss is NaN"
    assert first.duration is not None and first.duration.total_seconds() < 30  # since its start here
    assert second.duration is not None and second.duration.total_seconds() == pytest.approx(60)  # as Tune counted
    assert ids(tmp_path, 2) == ["d"]
    assert study(tmp_path).best_trial.user_attrs["name"] == "trial a"
    assert study(tmp_path).metric_names == ["gain over bicubic (dB)"]


def test_a_value_outside_the_space_is_an_attribute(tmp_path: Path, space: Space) -> None:
    mirrored(tmp_path, space, event("a", rate=5e-3))
    (trial,) = study(tmp_path).trials
    assert trial.params == {"n1": 8}
    assert trial.user_attrs["learning_rate (outside the space)"] == 5e-3


def test_several_objectives_need_all_their_figures(tmp_path: Path, space: Space) -> None:
    mirrored(tmp_path, space, event("a"), objectives=("gain", "macs"))
    (trial,) = study(tmp_path).trials
    assert (trial.state, trial.intermediate_values) == (TrialState.PRUNED, {})


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_a_resumed_search_adds_what_a_kill_kept_out_and_doubles_nothing(tmp_path: Path, space: Space, cut: int) -> None:
    mirrored(tmp_path, space, event("a"), event("b"))
    file = tmp_path / FILE
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) - cut])  # of the line of b, from its end
    (tmp_path / f"{FILE}.lock").symlink_to(file)  # a process that is killed while it writes leaves it
    restored = [event("a", "restored"), event("b", "restored"), event("c", "restored", Outcome.WAITING)]
    mirrored(tmp_path, space, *restored, event("c"))
    mirrored(tmp_path, space, *restored)
    assert ids(tmp_path) == ["a", "b", "c"]


def test_a_process_that_is_killed_at_any_moment_leaves_a_file_that_goes_on(tmp_path: Path, space: Space) -> None:
    """The file is written by a process that is killed while it writes; the next one ends with every trial once."""
    program = (
        "import sys, itertools; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from test_optuna_mirror import event, space_in, OptunaMirror\n"
        "folder = Path(sys.argv[1]); mirror = OptunaMirror(folder, 'today', space_in(folder)); print('go', flush=True)\n"
        "for i in itertools.count(): mirror(event(str(i), 'restored')); import time; time.sleep(0.001)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"go\n"
    while not (tmp_path / FILE).exists() or (tmp_path / FILE).stat().st_size < 20_000:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    mirrored(tmp_path, space, *(event(str(i), "restored") for i in range(300)))
    assert sorted(ids(tmp_path), key=int)[:300] == [str(i) for i in range(300)]
    assert len(set(ids(tmp_path))) == len(ids(tmp_path))


def test_a_file_that_cannot_be_written_disturbs_nothing(
    tmp_path: Path, space: Space, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).mkdir()
    mirrored(tmp_path, space, event("a"), event("b"))
    assert "no further trials are copied" in caplog.text


def test_the_command_can_be_pasted(tmp_path: Path) -> None:
    assert dashboard_command(Path("mlruns/ray/today")) == f"optuna-dashboard mlruns/ray/today/{FILE}"
    assert dashboard_command(Path("my runs/a")) == f"optuna-dashboard 'my runs/a/{FILE}'"


def test_the_dashboard_lists_the_study_and_its_trials(tmp_path: Path, space: Space) -> None:
    pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    mirrored(tmp_path, space, event("a"), event("b", outcome=Outcome.STOPPED), event("c", outcome=Outcome.FAILED))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = "from optuna_dashboard._cli import main; main()"
    arguments = [str(tmp_path / FILE), "--host", "127.0.0.1", "--port", str(port), "--server", "wsgiref"]
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "Listening" in line:
                break
        studies = ask(port, "/api/studies")["study_summaries"]
        assert [one["study_name"] for one in studies] == ["today x3"]
        details = ask(port, f"/api/studies/{studies[0]['study_id']}?after=0")
        assert [(one["state"], len(one["intermediate_values"])) for one in details["trials"]] == [
            ("Complete", 3), ("Pruned", 2), ("Fail", 2),
        ]  # fmt: skip
    finally:
        process.terminate()
        process.communicate()


def ask(port: int, path: str) -> Any:
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return json.load(answer)
        except ConnectionRefusedError:
            time.sleep(0.05)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.05)
    raise AssertionError("the dashboard does not answer")
