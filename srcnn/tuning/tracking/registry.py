"""Networks from an MLflow store: the registered champion of a scale, a version of a model, or the network of a run.

The weights are those that a trial logs (`srcnn.tuning.tracking.names.ARTIFACT_NETWORK`). They are read as data: nothing here
loads an MLflow model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from srcnn.champions.start import StartNetwork, file_start, named_start
from srcnn.errors import ConfigError, SearchError, unknown_name
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import artifact_file, open_store, reading

__all__ = [
    "champion_version",
    "network_of",
    "network_of_run",
    "read_start",
    "read_version",
    "registered_network",
    "version_at",
]

Read = TypeVar("Read")

_ADDRESS = re.compile(r"models:/([^/@]+)(?:@([^/@]+)|/([^/@]+))")


def registered_network(uri: str, scale: int) -> SRCNN:
    """Return the registered champion of a scale from a store.

    Raises:
        SearchError: there is no store, or it has no champion for this scale; the message says what to do.
    """
    client = open_store(uri)
    with reading(uri):
        version = champion_version(client, scale)
        if version is None:
            raise SearchError(
                f"registry: {uri} has no champion at x{scale}; a search with a confirmation registers one "
                "(experiments/search.py), and `champion` is the network that comes with the package"
            )
        return network_of(client, version)


def champion_version(client: MlflowClient, scale: int) -> ModelVersion | None:
    """Return the version that holds the title of a scale; without a title, the newest one; None: there is none."""
    name = names.registered_model(scale)
    found = client.search_model_versions(f"name='{name}'")
    if not found:
        return None
    aliases = client.get_registered_model(name).aliases
    title = str(aliases.get(names.ALIAS_CHAMPION, max(int(one.version) for one in found)))
    return next(one for one in found if str(one.version) == title)


def version_at(uri: str, address: str) -> SRCNN:
    """Return the network at an address such as ``models:/srcnn-x3@champion`` or ``models:/srcnn-x3/2``.

    Raises:
        ConfigError, SearchError: as in `read_version`.
    """
    return read_version(uri, address, load_network)


def read_start(uri: str, name: str) -> StartNetwork:
    """Return the network with a name to start a training from: ``models:/...`` from a store, else see `named_start`.

    Raises:
        ConfigError: nothing has the name.
        CheckpointError: a file is missing or damaged.
        SearchError: the store has no such network.
    """
    return read_version(uri, name, partial(file_start, name)) if name.startswith("models:/") else named_start(name)


def read_version(uri: str, address: str, read: Callable[[Path], Read]) -> Read:
    """Return what a function reads from the weights file at an address such as ``models:/srcnn-x3@champion``.

    Args:
        uri: the store.
        address: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        read: reads the file, which is temporary.

    Raises:
        ConfigError: the address has another form.
        SearchError: there is no such model, alias or version; the message lists those that there are.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ConfigError(f"model: must be models:/NAME@ALIAS or models:/NAME/VERSION, but got {address!r}")
    name, alias, number = match.groups()
    client = open_store(uri)
    with reading(uri):
        models = {model.name: model for model in client.search_registered_models(max_results=1000)}
        if name not in models:
            known = f"{unknown_name('model', name, models)} (in {uri})"
            raise SearchError(known if models else f"model: {uri} has no registered model, so there is no {name!r}")
        found = {str(one.version): one for one in client.search_model_versions(f"name='{name}'")}
        if alias is not None:
            aliases = models[name].aliases
            if alias not in aliases:
                raise SearchError(
                    unknown_name(f"alias of {name}", alias, aliases)
                    if aliases
                    else f"model: {name} has no alias {alias!r}"
                )
            number = str(aliases[alias])
        if number == "latest" and found:
            number = max(found, key=int)
        if number not in found:
            raise SearchError(unknown_name(f"version of {name}", number, sorted(found, key=int)))
        version = found[number]
        return _read(client, str(version.run_id), f"{version.name} version {version.version}", read)


def network_of(client: MlflowClient, version: ModelVersion) -> SRCNN:
    """Return the network of a version of a model.

    Raises:
        SearchError: the run that trained it has no network any more.
        MlflowException, OSError: the store cannot be read.
    """
    return _network(client, str(version.run_id), f"{version.name} version {version.version}")


def network_of_run(uri: str, run_id: str) -> SRCNN:
    """Return the network of a trial's run.

    Raises:
        SearchError: there is no such run, or it has no network.
    """
    client = open_store(uri)
    with reading(uri):
        return _network(client, run_id, f"run {run_id}")


def _network(client: MlflowClient, run_id: str, what: str) -> SRCNN:
    return _read(client, run_id, what, load_network)


def _read(client: MlflowClient, run_id: str, what: str, read: Callable[[Path], Read]) -> Read:
    with TemporaryDirectory() as folder:
        try:
            client.get_run(run_id)  # by itself: a download that breaks off has the same error code
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise SearchError(f"model: {what}: no run has the id {run_id!r}") from None
            raise
        file = artifact_file(client, run_id, names.ARTIFACT_NETWORK, Path(folder))
        if file is None:
            raise SearchError(
                f"model: {what} has no {names.ARTIFACT_NETWORK}; a trial that ended with a network has it"
            )
        return read(file)
