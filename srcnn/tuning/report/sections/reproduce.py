"""Settings of a search, and how to run it again: command, versions, seeds, digests."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from srcnn.errors import ConfigError
from srcnn.overlap.leaks import lines
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Cell, Part, Table, Text
from srcnn.tuning.report.sections.wording import duration, pixels, sampler_in_words, scheduler_in_words
from srcnn.tuning.tracking import names
from srcnn.tuning.trials.objective import OBJECTIVES
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["command_of", "reproduce", "setting"]

# Settings that say where a search ran and what it is called, not what it computes.
_PLACE = ("name", "storage", "tracking_uri", "address", "data_root", "stall_limit", "max_concurrent")
_PROGRAM = "python experiments/search.py"
_ONE_LINE = 3  # most flags on one line
_PIXELS = ("budget", "confirm_budget")
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_FLAGS = {"scales": "--scale"}
_STAGES = (
    ("search", "search"),
    ("rung", "confirmation: lower rungs"),
    ("confirm", "confirmation: choosing"),
    ("judge", "confirmation: judging"),
)


def setting(data: SearchData) -> tuple[Part, ...]:
    """Return what was searched: settings, images, and how the trials ended."""
    params, tags, text = data.params, data.tags, escape.markdown
    sampler = sampler_in_words(params.get(names.PARAM_SAMPLER, ""))
    scheduler = scheduler_in_words(params.get(names.PARAM_SCHEDULER, ""), len(data.objectives))
    over = f", over {text(', '.join(data.space.parameters))}" if data.space is not None else ""
    items = {
        "Objective": text(", ".join(OBJECTIVES[name].title for name in data.objectives))
        + (" (others, if there were any, were not kept as data)" if data.kept_objectives is None else ""),
        "Space": escape.code(_shown_path(params.get(names.PARAM_SPACE, ""))) + over,
        "Search": text(f"{params.get(names.PARAM_TRIALS, '?')} trials of {pixels(data.budget)}"),
        "Sampler": text(sampler),
        "Scheduler": text(scheduler),
        "Training set": text(tags.get(names.TAG_TRAIN_SET, params.get(names.PARAM_TRAIN, "?"))),
        "Validation images": text(tags.get(names.TAG_VALIDATION, "")),
        "Judging images": text(tags.get(names.TAG_JUDGING, "")),
        "Overlap": text("; ".join(lines(*data.leaks))),
        "Test sets": text(", ".join(data.test_sets) or "none measured"),
        "Machine": text(tags.get(names.TAG_DEVICE, "")),
        "Time": "" if data.seconds is None else duration(data.seconds),
    }
    parts: list[Part] = [_bullets(items)]
    parts += _outcomes(data)
    causes = Counter(child.failure for child in data.children if child.outcome is Outcome.FAILED and child.failure)
    if causes:
        said = "\n".join(f"- {count} of: {text(cause[:300])}" for cause, count in causes.most_common(5))
        parts.append(Text(f"Why trials failed:\n\n{said}"))
    return tuple(parts)


def _bullets(items: Mapping[str, str]) -> Text:
    return Text("\n".join(f"- **{name}:** {text}" for name, text in items.items() if text))


def _outcomes(data: SearchData) -> list[Part]:
    rows = []
    for stage, title in _STAGES:
        children = data.of_stage(stage)
        if children:
            counts = Counter(child.outcome for child in children)
            rows.append((Cell(title), *map(Cell, (str(len(children)), *(str(counts[kind]) for kind in Outcome)))))
    caption = (
        "How trials ended: stopped means early, by the scheduler; waiting, paused until the search goes on with it; "
        "interrupted, that the search ended first."
    )
    return [Table("outcomes", ("stage", "trials", *Outcome), tuple(rows), caption)] if rows else []


def reproduce(data: SearchData) -> tuple[Part, ...]:
    """Return the command that runs the same search again, with what its result depends on."""
    tags, text = data.tags, escape.markdown
    commit = tags.get(names.TAG_COMMIT, "")
    plain = commit.partition("-")[0].partition("+")[0]
    commands = [f"git checkout {plain}"] if plain.isalnum() else []
    flags = _flags(data.params)
    commands.append(_PROGRAM + "".join(f" \\\n  {flag}" if len(flags) > _ONE_LINE else f" {flag}" for flag in flags))
    versions = [f"{library} {version}" for library, version in names.versions(tags).items()]
    seeds = sorted(
        {one.seed for verdict in data.verdicts or () for c in verdict.ranked for one in (*c.chose, *c.judged)}
    )
    space = "" if data.space_text is None else hashlib.sha256(data.space_text.encode()).hexdigest()[:16]
    items = {
        "Commit": escape.code(commit) if commit else "unknown",
        "Versions": text(", ".join(versions)),
        "Machine": text(tags.get(names.TAG_DEVICE, "")),
        "Seed of the search": text(data.params.get(names.PARAM_SEED, "?")),
        "Seeds of the confirmation": text(", ".join(map(str, seeds))),
        "Training images": f"{text(tags.get(names.TAG_TRAIN_SET, '?'))}, digest "
        f"{escape.code(tags.get(names.TAG_TRAIN_DIGEST, '?'))}",
        "Search space": f"artifact {escape.code(names.ARTIFACT_SPACE)}, SHA-256 begins with {escape.code(space)}"
        if space
        else "",
    }
    link = escape.safe_link(data.link(data.run_id))
    if link is not None:
        items["Run"] = f"[{text(data.name)}](<{link}>)"
    parts: list[Part] = [Text("\n".join(["```", *commands, "```"])), _bullets(items)]
    parts.append(
        Text(
            "The same commit, versions, seed and machine start the same configurations. With several workers, which trial ends "
            "first depends on timing, and the search decides by what has ended: a second run finds other trials, and "
            "should find a gain within the intervals above."
        )
    )
    return tuple(parts)


def command_of(params: Mapping[str, str]) -> str:
    """Return the command of a search from the parameters of its run: flags for all settings that are not the default.

    Settings that only say where it ran, such as the storage, are left out. Of an absolute path, the end is shown.
    """
    return " ".join([_PROGRAM, *_flags(params)])


def _flags(params: Mapping[str, str]) -> list[str]:
    flags = []
    for name, field in SearchSettings.model_fields.items():
        if name in _PLACE or name not in params or field.is_required():
            continue
        value = _value(params[name])
        if name == "scheduler" and value in ("None", None, _default_scheduler(params)):
            continue
        if value == field.default or (isinstance(value, list) and tuple(value) == field.default) or value is None:
            continue
        flag = _FLAGS.get(name, "--" + name.replace("_", "-"))
        if isinstance(value, bool):
            flags.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            flags.append(f"{flag} {shlex.quote(_flag_text(name, value))}")
    return flags


def _value(text: str) -> Any:
    known = {"None": None, "True": True, "False": False}
    if text in known:
        return known[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _flag_text(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_shown_path(str(part)) for part in value)
    if name in _PIXELS and isinstance(value, int | float):
        return next(
            (f"{value / unit:.12g}{sign}" for unit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= unit),
            f"{value:g}",
        )
    return f"{value:.12g}" if isinstance(value, float) else _shown_path(str(value))


def _default_scheduler(params: Mapping[str, str]) -> str | None:
    """Return the scheduler that a search would have without the flag: its run has the resolved name."""
    sampler, objectives = params.get(names.PARAM_SAMPLER), _value(params.get(names.PARAM_OBJECTIVES, "None"))
    given: dict[str, Any] = {"name": "any"}
    given |= {"sampler": sampler} if sampler else {}
    given |= {"objectives": tuple(objectives)} if isinstance(objectives, list) else {}
    try:
        return SearchSettings(**given).stopping
    except (ConfigError, ValueError):
        return None


def _shown_path(path: str) -> str:
    """Return a path without the folders of the machine: the part from ``search_spaces/`` on, or the name."""
    pure = PureWindowsPath(path) if "\\" in path else PurePosixPath(path)
    if not pure.is_absolute():
        return path
    if "search_spaces" in pure.parts:
        return "/".join(pure.parts[pure.parts.index("search_spaces") :])
    return pure.name
