"""Checks of the stores of a search: MLflow's, and the folder with the states of searches."""

from __future__ import annotations

from pathlib import Path

from srcnn.system.passwords import without_password
from srcnn.tuning.doctor.examination import Seen
from srcnn.tuning.planning.settings import saved_searches
from srcnn.tuning.tracking.reader import open_store, parent_runs, reading

__all__ = ["stores"]


def stores(tracking_uri: str = "sqlite:///mlruns/mlflow.db", storage: str = "mlruns/ray") -> Seen:
    """Check that MLflow's store answers and has the tables of the installed version. It may not exist yet.

    Args:
        tracking_uri: address of the store.
        storage: folder of the searches.

    Raises:
        SearchError: the store cannot be read.
    """
    kept = saved_searches(storage)
    text = f"{len(kept)} searches can be resumed from {storage}"
    if tracking_uri.startswith("sqlite:///") and not Path(tracking_uri.removeprefix("sqlite:///")).exists():
        return Seen(f"no store at {tracking_uri} yet: the first search creates it; {text}", {"runs": 0})
    tracking_uri = without_password(tracking_uri)
    with reading(tracking_uri):  # MLflow compares the version of the tables when it opens the database
        runs = parent_runs(open_store(tracking_uri))
    return Seen(f"{tracking_uri} has {len(runs)} searches and tables; {text}", {"runs": len(runs), "kept": len(kept)})
