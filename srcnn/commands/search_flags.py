"""The flags of the command search, in groups, and the settings that they give.

This module imports neither torch nor the platform, so that ``search.py --help`` and a misspelt flag answer at once.
"""

from __future__ import annotations

import argparse
from typing import Any

from srcnn.commands.command_line import Parser, add_field, given_fields
from srcnn.config.quantities import parse_pixels
from srcnn.tuning.planning.settings import SearchSettings, default_name, load_settings, parse_duration, saved_searches

__all__ = ["given_settings", "search_parser"]

_SPECIAL = ("scales", "test", "budget", "confirm_budget", "time_budget", "objectives", "enqueue", "learn_from")
_LISTS = ("test", "objectives", "enqueue", "learn_from")

#: Flags of every group: field, word for its value, and the help where the field's own description does not do for a flag.
_GROUPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "basic": (
        ("name", "NAME", "name of the search, used in reports and by --resume (default: from space, images and time)"),
        ("trials", "N", ""),
        ("space", "FILE", ""),
        ("max_parameters", "N", ""),
        ("scales", "S", "scales to search, such as 3 or 2,4 (default: those of the space)"),
        ("train", "SET", ""),
        ("test", "SETS", "test sets, joined by commas, measured after the choice (default: sample/test)"),
        ("seed", "N", ""),
    ),
    "budget and confirmation": (
        ("budget", "PIXELS", "training pixels of a full trial, such as 8M or 500k (default: 8M)"),
        ("time_budget", "TIME", "end after about this time with confirmation, such as 2h or 30m (default: no limit)"),
        ("confirm", "", ""),
        ("confirm_budget", "PIXELS", "training pixels of a confirmation trial (default: as in the search)"),
        ("best", "N", ""),
        ("choice_seeds", "N", ""),
        ("confirm_seeds", "N", ""),
        ("ladder", "N,N", ""),
        ("allow_artefacts", "", ""),
    ),
    "how it searches": (
        ("sampler", "NAME", ""),
        ("scheduler", "NAME", ""),
        ("objectives", "NAMES", "objectives joined by commas, such as gain,macs (default: gain)"),
        (
            "enqueue",
            "WHAT",
            "configurations to run first: paper, article or a YAML file, joined by commas (default: paper and article, as far "
            "as the space has their networks)",
        ),
        (
            "learn_from",
            "NAMES",
            "past searches of an overlapping space to learn from, joined by commas, or all (default: it learns alone)",
        ),
    ),
    "images": (
        ("validation", "N", ""),
        ("judging", "N", ""),
        ("skip_bad", "", ""),
        ("allow_overlap", "", ""),
        ("data_root", "FOLDER", ""),
    ),
    "resources": (
        ("gpus_per_trial", "N", ""),
        ("cpus_per_trial", "N", ""),
        ("max_concurrent", "N", ""),
        ("stall_limit", "SECONDS", ""),
        ("address", "HOST:PORT", ""),
    ),
    "storage": (("tracking_uri", "URI", ""), ("system_metrics", "", ""), ("storage", "FOLDER", "")),
}


def search_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of the command search.

    Args:
        description: first text of the help.
    """
    parser = Parser(description=description, usage="%(prog)s [flags]")
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="NAME", help="go on with a search (without a name: the most recent)"
    )
    parser.add_argument(
        "--trust-saved-state",
        action="store_true",
        help="with --resume: go on from a saved state that another user or machine may have written; reading it can run code",
    )
    parser.add_argument("--dry-run", action="store_true", help="time a few steps, print the expected cost, and exit")
    grouped = {name for flags in _GROUPS.values() for name, _, _ in flags}
    further = tuple((name, "VALUE", "") for name in SearchSettings.model_fields if name not in grouped)
    for title, flags in (*_GROUPS.items(), *([("further", further)] if further else [])):
        group = parser.add_argument_group(title)
        for name, metavar, text in flags:
            if name == "scales":
                group.add_argument("--scale", metavar=metavar, help=text)
            else:
                add_field(group, SearchSettings, name, metavar=metavar, text=text)
    shown = parser.add_argument_group("what is shown")
    shown.add_argument("--watch", action="store_true", help="serve a page with the state of the search on this machine")
    shown.add_argument("--no-report", action="store_true", help="write no report at the end")
    shown.add_argument("--json", action="store_true", help="print one JSON object a line for each event, for programs")
    much = shown.add_mutually_exclusive_group()
    much.add_argument("-q", "--quiet", action="store_true", help="print only how the search ended")
    much.add_argument(
        "-v", "--verbose", action="store_true", help="print the whole plan, every report, and whole tables"
    )
    return parser


def given_settings(options: argparse.Namespace) -> tuple[SearchSettings, bool]:
    """Return the settings from parsed flags, and whether a search is resumed.

    Raises:
        ConfigError: a value breaks a rule.
        SearchError: there is no search of that name to resume.
    """
    fields: dict[str, Any] = given_fields(options, SearchSettings, skip=_SPECIAL)
    if options.scale is not None:
        fields["scales"] = tuple(part.strip() for part in options.scale.split(","))
    for name in _LISTS:
        if getattr(options, name) is not None:
            fields[name] = tuple(part.strip() for part in getattr(options, name).split(","))
    for name in ("budget", "confirm_budget"):
        if getattr(options, name) is not None:
            fields[name] = parse_pixels(getattr(options, name), name)
    if options.time_budget is not None:
        fields["time_budget"] = parse_duration(options.time_budget)
    if options.resume is not None:
        storage = str(fields.get("storage", SearchSettings.model_fields["storage"].default))
        resumed = options.resume or fields.get("name")
        # --name X --resume X starts or resumes a search, so that the same command can be repeated at any time.
        if not resumed or resumed != fields.get("name") or resumed in saved_searches(storage):
            return load_settings(resumed or None, storage, fields), True
    space = fields.get("space", SearchSettings.model_fields["space"].default)
    train = fields.get("train", SearchSettings.model_fields["train"].default)
    return SearchSettings(**{"name": default_name(space, train), **fields}), False
