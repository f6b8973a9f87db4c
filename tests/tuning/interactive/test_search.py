"""A search from Python: what is given and checked, and one real search."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import srcnn.tuning
from srcnn.errors import ConfigError, SearchError, SearchExistsError
from srcnn.tuning.driver.events import Event
from srcnn.tuning.interactive import search as module
from srcnn.tuning.planning.plan import Plan

from checkout import ROOT

SPACE: dict[str, Any] = {
    "parameters": {
        "n1": {"type": "categorical", "choices": [8, 16]},
        "learning_rate": {"type": "float", "low": 2e-4, "high": 8e-4, "log": True},
    },
    "constants": {"n2": 8, "kernels": "5-1-3", "scale": 3, "patch_size": 24, "batch_size": 8},
}
GIVEN: dict[str, Any] = {"space": SPACE, "test": "test", "validation": 2, "judging": 1, "confirm": False, "enqueue": ()}


class Begun(Exception):
    """A search would begin now."""

    def __init__(self, plan: Plan, resume: bool) -> None:
        self.plan, self.resume = plan, resume


@pytest.fixture
def planned(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``planned(...)`` is what `search` would run with the same arguments."""

    def begin(plan: Plan, *, resume: bool, listener: Any) -> Any:
        raise Begun(plan, resume)

    monkeypatch.setattr(module, "run_anywhere", begin)

    def call(*arguments: Any, **options: Any) -> Begun:
        with pytest.raises(Begun) as found:
            srcnn.tuning.search(*arguments, **{"progress": False, **GIVEN, **options})
        return found.value

    return call


def test_arguments_become_settings(planned: Any, workplace: Path) -> None:
    begun = planned(Path("train"), name="a", scales=3, budget="2M", time_budget="1h", trials=7, seed=5)
    settings = begun.plan.settings
    assert (settings.train, settings.test, settings.scales, settings.trials) == ("train", ("test",), (3,), 7)
    assert (settings.budget, settings.time_budget, settings.seed, begun.resume) == (2e6, 3600.0, 5, False)
    # A scale that is asked for is a parameter.
    assert set(begun.plan.space.parameters) == {"n1", "learning_rate", "scale"}
    assert (workplace / "mlruns" / "ray" / "a.space.yaml").exists()
    assert planned(["train"], space="space.yaml", scales=[2, 3]).plan.settings.name.startswith("space-train-")
    # A name that no search has starts one, so that a cell can be run again at any time.
    assert planned("train", name="b", resume=True).resume is False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "trials: "),
        ({"budget": "many"}, "budget: "),
        ({"time_budget": "soon"}, "time_budget: must be a time"),
        ({"samplers": "tpe"}, "samplers"),
        ({"resume": True}, "name: must be given with resume=True"),
        ({"space": {"parameters": {"lerning_rate": {"type": "int", "low": 1, "high": 2}}}}, "lerning_rate"),
        ({"space": {"parameters": {"n1": 1j}}}, "space: must consist of texts, numbers"),
        ({"space": "nowhere.yaml"}, "nowhere.yaml"),
    ],
    ids=str,
)
def test_mistakes_leave_nothing(workplace: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as found:
        srcnn.tuning.search("train", **{**GIVEN, **options})
    assert "\n" not in str(found.value)
    assert not [path for path in (workplace / "mlruns").rglob("*") if path.is_file()]


def test_one_real_search_and_what_comes_after(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = []
    found = srcnn.tuning.search(
        "train", name="real", trials=2, budget=90e3, callbacks=[events.append], gpus_per_trial=0.0, **GIVEN
    )
    assert "search 2/2" in capsys.readouterr().out
    assert {event.kind for event in events} >= {"start", "report", "end"}
    assert (found.name, found.interrupted, len(found.frame())) == ("real", False, 2)
    assert found.champion().config.kernels == (5, 1, 3)
    with pytest.raises(SearchExistsError, match="name: a search real exists; resume=True continues it"):
        srcnn.tuning.search("train", name="real", trials=2, budget=90e3, gpus_per_trial=0.0, **GIVEN)
    other = {**SPACE, "constants": {**SPACE["constants"], "n2": 4}}
    with pytest.raises(ConfigError, match="space: must not change in an existing search"):
        srcnn.tuning.search("train", name="real", resume=True, **{**GIVEN, "space": other})
    with pytest.raises(ConfigError, match="seed: must not change in a resumed search"):
        srcnn.tuning.search("train", name="real", resume=True, seed=9, budget=90e3, gpus_per_trial=0.0, **GIVEN)
    assert repr(srcnn.tuning.open_search("real")) == repr(found)
    with pytest.raises(SearchError, match="'reel' does not exist; did you mean 'real'"):
        srcnn.tuning.open_search("reel")


# Ctrl-C


@pytest.mark.parametrize("place", ["plan_search", "run_anywhere"])
def test_ctrl_c_before_the_first_trial_says_how_to_go_on(
    place: str, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, place, interrupted)
    with pytest.raises(KeyboardInterrupt) as found:
        srcnn.tuning.search("train", name="a", **GIVEN)
    line = "interrupted; the same call with name='a', resume=True continues"
    if place == "plan_search":
        line = "interrupted before the search began"
    assert str(found.value) == line
    assert found.value.__suppress_context__  # a notebook shows no frames of the libraries
    assert capsys.readouterr().out == (f"{line}\n" if place == "run_anywhere" else "")


Run = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def notebook(workplace: Path) -> Iterator[Run]:
    """``notebook(code)`` runs a cell in a real kernel and returns its outputs, (kind, text).

    ``interrupt_at=TEXT`` interrupts the kernel, as a notebook's stop button does, when the text is in an output.
    """
    jupyter = pytest.importorskip("jupyter_client.manager", reason="jupyter_client is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    with tempfile.TemporaryDirectory() as sockets:  # TCP ports are open to every user of the machine
        kernel = jupyter.KernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/kernel")
        kernel.start_kernel(cwd=str(workplace), env=environment)
        client = kernel.client()
        client.start_channels()

        def run(code: str, interrupt_at: str = "") -> list[tuple[str, str]]:
            outputs: list[tuple[str, str]] = []
            cell, end = client.execute(code), time.monotonic() + 600
            while time.monotonic() < end:
                try:
                    message = client.get_iopub_msg(timeout=1)
                except queue.Empty:
                    continue
                kind, content = message["msg_type"], message["content"]
                if message["parent_header"].get("msg_id") != cell:
                    continue
                if kind == "status" and content["execution_state"] == "idle":
                    return outputs
                if kind == "error":
                    outputs.append((kind, f"{content['ename']}: {content['evalue']}"))
                elif kind == "stream" or "data" in content:
                    data = content.get("data", {})
                    outputs.append((kind, content.get("text", data.get("text/html", data.get("text/plain", "")))))
                if interrupt_at and outputs and interrupt_at in outputs[-1][1]:
                    kernel.interrupt_kernel()
                    interrupt_at = ""
            raise AssertionError(f"the cell did not end: {outputs}")

        try:
            client.wait_for_ready(timeout=120)
            yield run
        finally:
            client.stop_channels()
            kernel.shutdown_kernel(now=True)
            kernel.cleanup_resources()


@pytest.mark.slow
def test_an_interrupted_cell_says_how_to_go_on_and_the_same_cell_goes_on(notebook: Run) -> None:
    options = {**GIVEN, "name": "cell", "trials": 3, "budget": 90e3, "max_concurrent": 1, "gpus_per_trial": 0.0}
    options["scheduler"] = "none"
    cell = f"import srcnn.tuning\nfound = srcnn.tuning.search('train', resume=True, **{options!r})"
    first = notebook(cell, interrupt_at="1 running")
    assert not [text for kind, text in first if kind in ("error", "stream")]
    line = "interrupted, the state is saved; the same call with name=&#x27;cell&#x27;, resume=True continues"
    assert line in first[-1][1]
    (shown,) = notebook("print(found.interrupted, found)")
    assert shown[1].startswith("True search cell: ")
    assert "it has not ended: resume=True continues it" in shown[1]
    second = notebook(cell)
    assert not [text for kind, text in second if kind in ("error", "stream")]
    assert "3 of 3 trials (" in second[-1][1]
    assert "interrupted" not in second[-1][1]
    (shown,) = notebook("print(found.interrupted, list(found.frame().outcome), found.frame().trial.is_unique)")
    assert shown[1] == "False ['finished', 'finished', 'finished'] True\n"


def test_the_function_is_loaded_late_and_stays_a_function() -> None:
    code = (
        "import sys, srcnn.tuning\n"
        "assert not {'ray', 'mlflow', 'optuna'} & set(sys.modules)\n"
        "assert {'search', 'open_search'} <= set(dir(srcnn.tuning))\n"
        "from srcnn.tuning import search\n"
        "import srcnn.tuning.whole_search.run, srcnn.tuning.interactive.search\n"
        "assert callable(search) and srcnn.tuning.search is search\n"
        "try: srcnn.tuning.serach\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "module 'srcnn.tuning' has no attribute 'serach'\n"
