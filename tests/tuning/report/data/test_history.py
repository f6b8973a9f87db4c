"""Times and decisions of a training, as its run in MLflow has them."""

from __future__ import annotations

from srcnn.tuning.report.data.history import curve_of
from srcnn.tuning.report.data.search_data import find_parent, gather
from srcnn.tuning.tracking.reader import children_of
from srcnn.tuning.trials.decision import Decision, decisions_json

from report_store import Store


def test_a_run_knows_when_it_ran_and_why(store: Store) -> None:
    decision = Decision("start", 0, "model", predicted=0.5, spread=0.1)
    store.open("mine")
    store.trial("a", [0.5, 0.6], tags={"srcnn.decisions": decisions_json([decision])})
    store.trial("later version", [0.5], tags={"srcnn.decisions": '[{"kind": "thaw", "epoch": 0, "by": "model"}]'})
    store.trial("running", [], None)
    parent = find_parent(store.uri)
    data = gather(store.uri, parent)
    a, damaged, running = (data.by_trial[key].history for key in ("a", "later version", "running"))
    assert a.decisions == (decision,) and damaged.decisions == ()
    assert a.epochs == (1, 2) and len(a.times) == 2
    assert a.started is not None and a.ended is not None and a.started <= a.times[0] <= a.times[1] <= a.ended
    assert (running.times, running.ended) == ((), None)
    assert data.started is not None and abs(data.started - a.started) < 60
    curves = {
        run.data.tags["srcnn.trial"]: curve_of(store.tracker.client, run)
        for run in children_of(store.tracker.client, parent)
    }
    assert curves["a"] == data.by_trial["a"].curve == ((1e6, 0.5), (2e6, 0.6))
