"""Reading of runs from an MLflow store, shared by reports, recorded curves and checks.

A search or a run of a table is one parent run with a child run for each training. Only tags distinguish them
(`srcnn.tuning.tracking.names`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from srcnn.errors import SearchError, unknown_name
from srcnn.system.bounded_read import in_units, read_text
from srcnn.system.passwords import without_password
from srcnn.system.tensor_file import LARGEST
from srcnn.tuning.space.parameter import Categorical, Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.store_address import absolute_uri, check_store, connectable, first_line

__all__ = [
    "artifact_file",
    "artifact_folder",
    "artifact_text",
    "children_of",
    "every_run",
    "fields_of",
    "kept_space",
    "open_store",
    "parent_named",
    "parent_runs",
    "reading",
    "value_of",
    "values_of",
]

_TEXT = 8 << 20  # maximum size of a text in bytes


def open_store(uri: str) -> MlflowClient:
    """Return a client for an existing store.

    Raises:
        ConfigError, SearchError: the store does not exist or cannot be read, as in
            `srcnn.tuning.tracking.store_address.check_store`.
    """
    check_store(uri, write=False)  # a client would create what does not exist, and try for minutes what is damaged
    with reading(uri):
        return MlflowClient(connectable(absolute_uri(uri)))


@contextmanager
def reading(uri: str) -> Iterator[None]:
    """Convert errors of a store inside the block to a `SearchError`: one line with the address of the store."""
    try:
        yield
    except (MlflowException, OSError, SQLAlchemyError) as error:  # the last where a file is no database
        raise SearchError(f"tracking-uri: {without_password(uri)} cannot be read: {first_line(error)}") from None


def every_run(client: MlflowClient, experiment_id: str, query: str) -> list[Run]:
    """Return all runs of an experiment that match a query, newest first."""
    runs: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs([experiment_id], query, max_results=1000, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def parent_runs(client: MlflowClient) -> list[Run]:
    """Return the parent runs of the experiment, newest first; an empty list if there is no such experiment."""
    experiment = client.get_experiment_by_name(names.EXPERIMENT)
    if experiment is None:
        return []
    return every_run(client, experiment.experiment_id, f"tags.`{names.TAG_TRIAL}` = '{names.PARENT}'")


def parent_named(parents: Sequence[Run], name: str, uri: str) -> Run:
    """Return the newest parent run with a name.

    Raises:
        SearchError: there is none; the message lists existing names, most similar first.
    """
    for run in parents:
        if run.data.tags.get(names.TAG_SEARCH, "") == name:
            return run
    known = list(dict.fromkeys(run.data.tags.get(names.TAG_SEARCH, "") for run in parents))
    raise SearchError(
        f"{unknown_name('search', name, known)} (in {uri})" if known else f"search: there is none in {uri}"
    )


def children_of(client: MlflowClient, parent: Run) -> list[Run]:
    """Return the child runs of a parent, newest first."""
    return every_run(client, parent.info.experiment_id, f"tags.`{names.TAG_PARENT_RUN}` = '{parent.info.run_id}'")


def artifact_file(client: MlflowClient, run_id: str, path: str, folder: Path, limit: int = LARGEST) -> Path | None:
    """Download one artifact of a run.

    The store states the size of an artifact: one that is too large is not downloaded. An empty one is not either, because none is
    written, and a pipe or a device in the folder of a store states a size of 0.

    Args:
        client: client of the store.
        run_id: id of the run.
        path: path of the artifact, relative to the run's artifacts.
        folder: target folder.
        limit: maximum size in bytes, by default that of a network.

    Returns:
        The downloaded file; None if the run has no such artifact.

    Raises:
        SearchError: the artifact is a folder, is empty or is too large.
    """
    above = PurePosixPath(path).parent
    there = client.list_artifacts(run_id, None if above == PurePosixPath() else str(above))
    found = next((artifact for artifact in there if artifact.path == path), None)
    if found is None:
        return None
    what = f"artifact {path} of run {run_id}"
    if found.is_dir:
        raise SearchError(f"{what}: must be a file, but is a folder")
    _check_size(what, found.file_size or 0, limit)
    file = Path(client.download_artifacts(run_id, path, str(folder)))
    _check_size(what, file.stat().st_size, limit)  # a server may state another size
    return file


def _check_size(what: str, size: int, limit: int) -> None:
    if not 0 < size <= limit:
        has = in_units(size) if size else "none"
        raise SearchError(f"{what}: must have at least one byte and at most {in_units(limit)}, but has {has}")


def artifact_folder(client: MlflowClient, run_id: str, path: str, folder: Path, limit: int, most: int) -> Path | None:
    """Download the files of a folder of artifacts, without those that are empty and without folders in it.

    Args:
        client: client of the store.
        run_id: id of the run.
        path: path of the folder, relative to the run's artifacts.
        folder: target folder.
        limit: maximum size of all files together in bytes.
        most: maximum number of files.

    Returns:
        The folder with the files, below the target folder; None if the run has no such files, or too many, or too large ones.
    """
    there = [one for one in client.list_artifacts(run_id, path) if not one.is_dir and one.file_size]
    if not 0 < len(there) <= most or sum(one.file_size for one in there) > limit:
        return None
    target = folder / PurePosixPath(path).name
    target.mkdir()
    for one in there:
        client.download_artifacts(run_id, one.path, str(target))
    return target


def artifact_text(client: MlflowClient, parent: Run, path: str) -> str | None:
    """Return the text of an artifact; None if the run has no such artifact.

    Raises:
        SearchError: see `artifact_file`; the limit is 8 MiB.
        OSError: it is no text in UTF-8.
    """
    with TemporaryDirectory() as folder:
        file = artifact_file(client, parent.info.run_id, path, Path(folder), _TEXT)
        return None if file is None else read_text(file, _TEXT)


def kept_space(client: MlflowClient, parent: Run) -> Space:
    """Return the search space from a search's artifacts, or from its original file if the search has not ended.

    Raises:
        ConfigError: neither exists, or the file is not a valid search space.
    """
    with TemporaryDirectory() as folder:
        file = artifact_file(client, parent.info.run_id, names.ARTIFACT_SPACE, Path(folder), _TEXT)
        return load_space(Path(parent.data.params.get(names.PARAM_SPACE, "")) if file is None else file)


def fields_of(params: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """Return all fields of a trial's configuration and all values of its search space, as text, from the columns of its run.

    Trials of earlier versions have all of them as parameters; then the tag with the others is missing.
    """
    try:
        others = json.loads(tags.get(names.TAG_FIELDS, "{}"))
    except ValueError:
        others = {}
    return {**(others if isinstance(others, dict) else {}), **params}


def value_of(space: Space, name: str, text: str) -> Value:
    """Parse the value of a parameter from MLflow's text."""
    parameter = space.parameters[name]
    if isinstance(parameter, Categorical):
        return next((choice for choice in parameter.choices if str(choice) == text), text)
    return int(text) if parameter.type == "int" else float(text)


def values_of(space: Space, params: Mapping[str, str]) -> dict[str, Value]:
    """Return the values of those of a run's parameters that belong to the search space."""
    return {name: value_of(space, name, params[name]) for name in space.parameters if name in params}
