"""Report of a search: settings and images, winners and their confirmation, and results of the trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from srcnn.overlap.leaks import footnote, lines, marked
from srcnn.tuning.report.data.confirmed import confirmed_at
from srcnn.tuning.report.data.importance import importances
from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Cell, Document, Figure, Section, Table, Text
from srcnn.tuning.report.figures.bars import bars_figure
from srcnn.tuning.report.figures.curves import curves_figure
from srcnn.tuning.report.figures.front import front_figure
from srcnn.tuning.report.figures.parallel import parallel_figure
from srcnn.tuning.report.sections.search_tables import champions, leaderboard, ranked, seeds
from srcnn.tuning.report.sections.wording import duration, pixels, provenance
from srcnn.tuning.tracking import names
from srcnn.tuning.trials.objective import OBJECTIVES
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.pareto import front

__all__ = ["search_document"]

Part = Text | Table | Figure
_NOT_KEPT = (
    "The search confirmed its best configurations, but what it found was not kept as data: an earlier version ran it. "
    f"The note of its run and the artifact {names.ARTIFACT_CONFIRMED} have the figures."
)


def search_document(data: SearchData) -> Document:
    """Create the report. It can also be created for a search that is running, failed or was interrupted, and states so.

    Args:
        data: result of `srcnn.tuning.report.data.search_data.gather`.
    """
    sections = [Section("Result", _result(data)), Section("What was searched", _setting(data))]
    for scale in data.scales:
        sections.append(Section(f"Scale x{scale}", _of_scale(data, scale)))
    if data.of_stage("search"):
        sections.append(Section("Parameters", _parameters(data)))
    if len(data.objectives) > 1:
        sections.append(Section("Pareto front", _front(data)))
    subtitle = f"A hyperparameter search of SRCNN networks: {provenance(data, data.of_stage('search'))}"
    return Document(f"Search {data.name}", subtitle, tuple(sections))


def _bullets(items: Mapping[str, str]) -> Text:
    return Text("\n".join(f"- **{name}:** {text}" for name, text in items.items() if text))


def _result(data: SearchData) -> tuple[Part, ...]:
    parts: list[Part] = []
    if data.status != "FINISHED":
        state = {
            "RUNNING": "has not ended: what follows is what its store holds now",
            "KILLED": "was cut short before its end",
            "FAILED": "failed before its end",
        }.get(data.status, f"is {escape.markdown(data.status)}")
        parts.append(Text(f"**The search {state}.**"))
    sentences = []
    unconfirmed = "what was confirmed was not kept as data" if data.confirmation_lost else "nothing was confirmed"
    for scale in data.scales:
        confirmed = confirmed_at(data, scale)
        if confirmed:
            first = confirmed[0]
            tests = "".join(
                f"{psnr.mean():.2f} dB on {escape.markdown(marked(n, data.leaks[1]))}, "
                for n, psnr in first.psnr.items()
            )
            gain = f"{first.chose.mean():.3f} dB over bicubic on the validation images that chose it"
            if first.judged and not np.isnan(first.gains).any():
                gain = (
                    f"{first.gains.mean():.3f} dB [95 %: {first.low:.3f} to {first.high:.3f}, over seeds and images] over "
                    "bicubic on the judging images"
                )
            kind = "that took no part in the choice" if first.judged else "that chose it"
            sentences.append(
                f"- **{escape.markdown(first.name)}** gains {gain}; {tests}means of {len(first.seeds)} seeds {kind}."
            )
            continue
        best = next((c for c in ranked(data, scale) if c.outcome is Outcome.FINISHED), None)
        if best is None:
            sentences.append(f"- x{scale}: no trial finished.")
        else:
            sentences.append(
                f"- **{escape.markdown(best.name)}** gains {best.gain:.3f} dB over bicubic on validation; one "
                f"seed, the best of many, so partly luck: {unconfirmed}."
            )
    parts.append(Text("\n".join(sentences) or "There is no trial yet."))
    if data.leaks[1]:
        parts.append(Text(f"**{escape.markdown(footnote(data.leaks[1]))}**"))
    verdicts = [line for one in data.verdicts or () for line in one.sentences()]
    if verdicts:
        said = "\n".join(f"- {escape.markdown(line)}." for line in verdicts)
        parts.append(Text(f"How it was chosen, and how sure that is:\n\n{said}"))
    if data.confirmation_lost:
        parts.append(Text(_NOT_KEPT))
    return tuple(parts)


def _setting(data: SearchData) -> tuple[Part, ...]:
    params, tags = data.params, data.tags
    sampler, scheduler = params.get(names.PARAM_SAMPLER, ""), params.get(names.PARAM_SCHEDULER, "")
    versions = [f"{library} {version}" for library, version in names.versions(tags).items()]
    text = escape.markdown
    items = {
        "Objective": text(", ".join(OBJECTIVES[name].title for name in data.objectives))
        + (" (others, if there were any, were not kept as data)" if data.kept_objectives is None else ""),
        "Space": escape.code(params.get(names.PARAM_SPACE, "")) + _varied(data),
        "Search": text(
            f"{params.get(names.PARAM_TRIALS, '?')} trials of {pixels(data.budget)}, sampler {sampler or '?'}, "
            f"{'the default scheduler' if scheduler in ('', 'None') else f'scheduler {scheduler}'}"
        ),
        "Training set": f"{text(tags.get(names.TAG_TRAIN_SET, params.get(names.PARAM_TRAIN, '?')))}, digest "
        f"{escape.code(tags.get(names.TAG_TRAIN_DIGEST, '?'))}",
        "Validation images": text(tags.get(names.TAG_VALIDATION, "")),
        "Judging images": text(tags.get(names.TAG_JUDGING, "")),
        "Overlap": text("; ".join(lines(*data.leaks))),
        "Test sets": text(", ".join(data.test_sets) or "none measured"),
        "Seed": text(params.get(names.PARAM_SEED, "?")),
        "Machine": text(tags.get(names.TAG_DEVICE, "")),
        "Versions": text(", ".join(versions)),
        "Commit": escape.code(tags.get(names.TAG_COMMIT, "unknown")),
        "Time": "" if data.seconds is None else duration(data.seconds),
    }
    link = escape.safe_link(data.link(data.run_id))
    if link is not None:
        items["Run"] = f"[{text(data.name)}](<{link}>)"
    rows = []
    for stage, title in (
        ("search", "search"),
        ("rung", "confirmation: lower rungs"),
        ("confirm", "confirmation: choosing"),
        ("judge", "confirmation: judging"),
    ):
        children = data.of_stage(stage)
        if children:
            counts = Counter(child.outcome for child in children)
            cells = (str(len(children)), *(str(counts[kind]) for kind in Outcome))
            rows.append((Cell(title), *map(Cell, cells)))
    parts: list[Part] = [_bullets(items)]
    if rows:
        caption = (
            "How trials ended: stopped means early, by the scheduler; waiting, paused until the search goes on with it; "
            "interrupted, that the search ended first."
        )
        parts.append(Table("outcomes", ("stage", "trials", *Outcome), tuple(rows), caption))
    causes = Counter(child.failure for child in data.children if child.outcome is Outcome.FAILED and child.failure)
    if causes:
        said = "\n".join(f"- {count} of: {text(cause[:300])}" for cause, count in causes.most_common(5))
        parts.append(Text(f"Why trials failed:\n\n{said}"))
    return tuple(parts)


def _varied(data: SearchData) -> str:
    return f", over {escape.markdown(', '.join(data.space.parameters))}" if data.space is not None else ""


def _of_scale(data: SearchData, scale: int) -> tuple[Part, ...]:
    parts: list[Part] = []
    confirmed = confirmed_at(data, scale)
    if confirmed:
        parts += [champions(data, scale, confirmed), seeds(data, scale, confirmed)]
    elif data.of_stage("confirm", scale):
        ended = "Confirmations ran, but the search ended before it chose by them."
        parts.append(Text(_NOT_KEPT if data.confirmation_lost else ended))
    trials = data.of_stage("search", scale)
    if trials:
        parts.append(leaderboard(data, scale))
        figure = curves_figure(trials, f"curves-x{scale}", f"Learning curves at x{scale}. {provenance(data, trials)}")
        parts.append(figure if figure is not None else Text("No trial has reported a figure, so there are no curves."))
    return tuple(parts)


def _parameters(data: SearchData) -> tuple[Part, ...]:
    trials, parts = data.of_stage("search"), list[Part]()
    importance = importances(data.space, trials)
    if importance.shares:
        used = [child for child in trials if child.outcome is Outcome.FINISHED]
        caption = (
            f"Importance of each parameter for the gain, by Optuna's {importance.method}, from the {importance.count} "
            f"finished trials alone, scales together. Stopped ones are left out, so a parameter whose bad values never "
            f"finish looks less important than it is. {provenance(data, used)}"
        )
        parts.append(bars_figure(importance, "importance", caption))
    else:
        parts.append(Text(escape.markdown(importance.reason)))
    if data.space is not None:
        caption = (
            "Every trial's way through its parameters to its gain, as a share of the paper's; colours of finished ones go "
            f"from dark to light with the gain, grey ones did not finish. {provenance(data, trials)}"
        )
        figure = parallel_figure(data.space, trials, "parallel", caption)
        parts.append(figure if figure is not None else Text("Too few trials to compare parameters in a picture."))
    return tuple(parts)


def _front(data: SearchData) -> tuple[Part, ...]:
    objectives, trials = data.objectives, data.of_stage("search")
    rows = [row for child in trials if (row := data.result(child)) is not None]
    kept = front(rows, objectives)
    if not kept:
        return (Text("No finished trial has a figure of every objective, so there is no front."),)
    others = [name for name in objectives if name != "gain"]
    table = Table(
        "front",
        ("configuration", "scale", "gain (dB)", *(OBJECTIVES[name].title for name in others)),
        tuple(
            (
                Cell(row.name, data.link(row.trial_id)),
                Cell(f"x{row.config.scale}"),
                Cell(f"{row.val_gain:.3f}"),
                *(Cell(f"{row.values[name]:.6g}") for name in others),
            )
            for row in kept
        ),
        f"Finished trials that no other of their scale equals or beats in everything. {provenance(data, trials)}",
    )
    parts: list[Part] = [table]
    for name in others:
        caption = f"Gain against {OBJECTIVES[name].title}; faint: not on the front. {provenance(data, trials)}"
        figure = front_figure(rows, objectives, name, f"front-{name}", caption)
        parts += [] if figure is None else [figure]
    return tuple(parts)
