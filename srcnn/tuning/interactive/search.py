"""`search` and `open_search`: a search from Python, in a program or a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from srcnn.config.quantities import parse_pixels
from srcnn.errors import ConfigError, SearchExistsError, SRCNNError
from srcnn.system.atomic_file import atomic_write
from srcnn.tuning.adapters.environment import configure
from srcnn.tuning.driver.events import Event, Listener
from srcnn.tuning.interactive.found_search import FoundSearch
from srcnn.tuning.interactive.progress import Progress
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import (
    SearchSettings,
    default_name,
    has_begun,
    load_settings,
    parse_duration,
    saved_searches,
)
from srcnn.tuning.whole_search.remote import run_anywhere

__all__ = ["open_search", "search"]

Names = str | Path | Sequence[str | Path]


def search(
    data: Names = "sample/train",
    *,
    name: str | None = None,
    space: str | Path | Mapping[str, Any] | None = None,
    scales: int | Sequence[int] | None = None,
    trials: int | None = None,
    budget: float | str | None = None,
    time_budget: float | str | None = None,
    test: Names | None = None,
    seed: int | None = None,
    resume: bool = False,
    progress: bool = True,
    callbacks: Sequence[Listener] = (),
    **more: Any,
) -> FoundSearch:
    """Search for the best network, and return what was found. All trials are runs in MLflow, as with the command.

    Ctrl-C (in a notebook: interrupt the kernel) stops the trials, saves their state and returns what there is, with
    ``interrupted`` set. A second one, and one before the first trial, raises KeyboardInterrupt. The last line of the progress
    says how to go on: the same call with ``name=NAME, resume=True``.

    Args:
        data: training images: name of a set or a folder, or several of them.
        name: name of the search (default: space, data and time).
        space: search space, a YAML file or its contents as a mapping with ``parameters`` and ``constants``.
        scales: upscaling factors, 2 to 4 (default: those of the space).
        trials: number of trials, with those before a resume (default: 50).
        budget: training pixels of a full trial, such as ``"2M"`` (default: 8 million).
        time_budget: time after which the search ends, in seconds or such as ``"30m"``.
        test: test sets, measured when the choice is made (default: sample/test).
        seed: random seed of the sampler, the split and every trial (default: 123).
        resume: continue the search ``name`` if it exists.
        progress: show progress: in a notebook below the cell, elsewhere a line for each trial.
        callbacks: functions that are called with every `srcnn.tuning.driver.events.Event`.
        more: other fields of `srcnn.tuning.planning.settings.SearchSettings`, such as ``confirm=False`` or ``max_concurrent=2``.

    Raises:
        ConfigError: a value breaks a rule, or a resumed search has other settings.
        DataError: images are missing or too few.
        SearchError: the search exists already, or a store cannot be used.
    """
    configure()
    given: dict[str, Any] = {"train": _joined(data), "name": name, "trials": trials, "seed": seed, **more}
    if scales is not None:
        given["scales"] = (scales,) if isinstance(scales, int) else tuple(scales)
    if test is not None:
        given["test"] = tuple(map(str, [test] if isinstance(test, str | Path) else test))
    if budget is not None:
        given["budget"] = parse_pixels(budget, "budget") if isinstance(budget, str) else budget
    if time_budget is not None:
        given["time_budget"] = parse_duration(time_budget) if isinstance(time_budget, str) else time_budget
    given = {field: value for field, value in given.items() if value is not None}
    try:
        plan, again = _planned(given, space, resume)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted before the search began") from None
    shown = Progress(plan.settings.trials) if progress else None
    listeners: list[Listener] = [*([shown] if shown is not None else []), *callbacks]
    rest, last = f"the same call with name={plan.settings.name!r}, resume=True continues", ""

    def listen(event: Event) -> None:
        for listener in listeners:
            listener(event)

    try:
        result = run_anywhere(plan, resume=again, listener=listen)
        if result.interrupted:
            last = f"interrupted, the state is saved; {rest}"
    except KeyboardInterrupt:  # without the frames of the libraries
        last = f"interrupted; {rest}"
        raise KeyboardInterrupt(last) from None
    except SearchExistsError:
        raise SearchExistsError(
            f"name: a search {plan.settings.name} exists; resume=True continues it, open_search reads it"
        ) from None
    finally:
        if shown is not None:
            shown.close(last)
    return FoundSearch.read(result.tracking_uri, plan.settings.name, interrupted=result.interrupted)


def open_search(name: str | None = None, *, tracking_uri: str | None = None) -> FoundSearch:
    """Read a search from its MLflow store. It may be running, interrupted or of another machine.

    Args:
        name: name of the search; None: the newest of the store.
        tracking_uri: address of the store (default: sqlite:///mlruns/mlflow.db).

    Raises:
        SearchError: the store cannot be read, or it has no such search.
    """
    configure()
    return FoundSearch.read(tracking_uri or str(_default("tracking_uri")), name)


def _default(field: str) -> Any:
    return SearchSettings.model_fields[field].default


def _joined(data: Names) -> str:
    return str(data) if isinstance(data, str | Path) else "+".join(map(str, data))


def _planned(given: dict[str, Any], space: str | Path | Mapping[str, Any] | None, resume: bool) -> tuple[Plan, bool]:
    """Return the plan, and whether it resumes an earlier search."""
    storage = str(given.get("storage", _default("storage")))
    if resume and "name" not in given:
        raise ConfigError("name: must be given with resume=True, the search to continue")
    again = resume and given["name"] in saved_searches(storage)
    if space is not None and not isinstance(space, Mapping):
        given["space"] = str(space)
    if "name" not in given:
        title = "search" if isinstance(space, Mapping) else str(given.get("space", _default("space")))
        given["name"] = default_name(title, given["train"])
    new = None
    if isinstance(space, Mapping):
        file = Path(storage).expanduser().resolve() / f"{given['name']}.space.yaml"
        new = _written(file, space, keep=again or has_begun(file.with_name(given["name"])))
        given["space"] = str(file)
    try:
        settings = load_settings(given["name"], storage, given) if again else SearchSettings(**given)
        return plan_search(settings), again
    except SRCNNError:
        if new is not None:
            new.unlink(missing_ok=True)
        raise


def _written(file: Path, space: Mapping[str, Any], *, keep: bool) -> Path | None:
    """Write a space beside the folder of its search. Return the file if it is new.

    Args:
        file: the file.
        space: contents of the file.
        keep: whether the search exists, whose space must stay as it is.

    Raises:
        ConfigError: the search has another space, or the mapping has values that YAML cannot express.
    """
    try:
        text = yaml.safe_dump(dict(space), sort_keys=False)
    except yaml.YAMLError as error:
        raise ConfigError(f"space: must consist of texts, numbers, lists and mappings ({error})") from None
    if keep and file.exists():
        if file.read_text(encoding="utf-8") != text:
            raise ConfigError(f"space: must not change in an existing search; {file} has other contents")
        return None
    try:
        with atomic_write(file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"storage: {file} cannot be written ({error.strerror})") from None
    return file
