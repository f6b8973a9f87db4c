"""The watch page of a search as HTML, made on the server: it can be read without JavaScript.

The templates are in ``templates``; jinja2 escapes every value but the pictures, which `srcnn.tuning.watch.pictures` has escaped.
Style and script stand in the page, and the content security policy allows these two by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from srcnn.tuning.watch import words
from srcnn.tuning.watch.pictures import curves, sparkline
from srcnn.tuning.watch.state import Live, Trial, WatchedSearch

__all__ = ["Commands", "policy", "render", "render_live"]

_ROWS = 500  # rows of the table of all trials
_CAUSES = 20  # causes of failures that are shown
_ORDER = ("running", "waiting", "finished", "stopped", "failed", "interrupted")


@dataclass(frozen=True)
class Commands:
    """Commands that the page shows, for a shell."""

    dashboard: str = ""  #: opens Optuna's dashboard; empty: there is nothing to open yet
    ui: str = ""  #: opens MLflow's page


def policy() -> str:
    """Return the content security policy of the page: its own style and script, and requests to its own server."""
    style, script = (_hash(_part(name)) for name in ("page.css", "page.js"))
    return (
        f"default-src 'none'; connect-src 'self'; img-src data:; style-src '{style}'; script-src '{script}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def render(found: WatchedSearch, commands: Commands) -> str:
    """Return the page."""
    template = _environment().get_template("page.html")
    return template.render(_values(found, commands), style=_part("page.css"), script=_part("page.js"))


def render_live(found: WatchedSearch, commands: Commands) -> str:
    """Return the part of the page that changes, which its script puts in place."""
    return _environment().get_template("live.html").render(_values(found, commands))


@cache
def _part(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("srcnn.tuning.watch"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "ago": words.ago,
        "figure": words.figure,
        "difference": words.difference,
        "duration": words.duration,
        "plural": words.plural,
        "spark": sparkline,
    }
    return environment


def _values(found: WatchedSearch, commands: Commands) -> Mapping[str, Any]:
    shared = {"found": found, "commands": commands, "live": found.live, "updates": found.health.kind == "running"}
    return {**shared, **({} if found.live is None else _live_values(found, found.live))}


def _live_values(found: WatchedSearch, live: Live) -> dict[str, Any]:
    over = found.health.kind in ("killed", "failed", "interrupted")
    return {
        "numbers": _numbers(live, running=found.health.kind == "running"),
        "decision": words.decision_text(live),
        "scales": [
            {
                "scale": scale,
                "best": live.best.get(scale),
                "paper": live.references.get(scale),
                "picture": curves(live.trials, scale, live.best[scale].trial if scale in live.best else None),
                "count": sum(trial.scale == scale for trial in live.trials),
            }
            for scale in live.scales
        ],
        "running": [_row(trial, live) for trial in live.running],
        # What ran when a search was killed or interrupted does not run any more.
        "running_title": "Were running at the last update" if over else "Running",
        "every": [_row(trial, live) for trial in sorted(live.trials, key=_place)[:_ROWS]],
        "left_out": max(0, len(live.trials) - _ROWS),
        "causes": Counter(trial.failure for trial in live.trials if trial.state == "failed").most_common(_CAUSES),
        "repeated": sum(bool(trial.failure) and trial.state != "failed" for trial in live.trials),
    }


def _numbers(live: Live, *, running: bool) -> list[tuple[str, str]]:
    """Return the figures at the top of the page, each with its name."""
    counts = {state: live.counts.get(state, 0) for state in _ORDER}
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none has begun"
    stage = {
        "search": "trials of the search",
        "confirm": "trials of the confirmation",
        "judge": "trials of the judging",
    }
    found = [
        (stage.get(live.stage, f"trials of the stage {live.stage}"), f"{live.ended} of {live.trials_planned} ended"),
        ("by state", states),
        ("time so far", words.duration(live.elapsed)),
        ("used", words.core_time(live.core_seconds)),
    ]
    if running:
        found.insert(3, ("time left in this stage", words.time_left(live.left)))
    if live.limit is not None:
        found.append(("time budget", words.duration(live.limit)))
    return found


def _row(trial: Trial, live: Live) -> dict[str, Any]:
    best = live.best.get(trial.scale)
    return {
        "trial": trial,
        "best": None if best is None else best.gain,
        "is_best": best is not None and best.trial == trial.id,
    }


def _place(trial: Trial) -> tuple[int, float]:
    return trial.scale, -(trial.gain if trial.gain is not None else float("-inf"))
