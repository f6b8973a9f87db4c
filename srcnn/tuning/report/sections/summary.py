"""The first section of a search's report: what was searched, what won and how surely, and what it cost, in words."""

from __future__ import annotations

import json

from srcnn.config.quantities import counted
from srcnn.overlap.leaks import footnote, marked
from srcnn.tuning.report.data.confirmed import Confirmed, confirmed_at
from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Part, Text
from srcnn.tuning.report.sections.search_tables import ranked
from srcnn.tuning.report.sections.wording import duration, pixels, scales_in_words, than_paper
from srcnn.tuning.tracking import names
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.verdict import ScaleVerdict

__all__ = ["NOT_KEPT", "summary"]

NOT_KEPT = (
    "The search confirmed its best configurations, but what it found was not kept as data: an earlier version ran it. "
    f"The note of its run and the artifact {names.ARTIFACT_CONFIRMED} have the figures."
)
_STATES = {
    "RUNNING": "has not ended: what follows is what its store holds now",
    "KILLED": "was cut short before its end",
    "FAILED": "failed before its end",
}


def summary(data: SearchData) -> tuple[Part, ...]:
    """Return the section's parts."""
    parts: list[Part] = []
    if data.status != "FINISHED":
        parts.append(Text(f"**The search {_STATES.get(data.status, f'is {escape.markdown(data.status)}')}.**"))
    if not data.of_stage("search"):
        return (*parts, Text("There is no trial yet."))
    parts.append(Text(_searched(data)))
    parts.append(Text("\n".join(f"- {_won(data, scale)}" for scale in data.scales) or "There is no trial yet."))
    if data.leaks[1]:
        parts.append(Text(f"**{escape.markdown(footnote(data.leaks[1]))}**"))
    if data.confirmation_lost:
        parts.append(Text(NOT_KEPT))
    parts.append(Text(_cost(data)))
    return tuple(parts)


def _searched(data: SearchData) -> str:
    trials, text = data.of_stage("search"), escape.markdown
    # By values, because names leave out most of the training and round the rate.
    configurations = len(
        {(child.name, child.scale, json.dumps(child.values, sort_keys=True, default=str)) for child in trials}
    )
    varied = [name for name in data.space.parameters if name != "scale"] if data.space is not None else []
    over = f", over {text(', '.join(varied))}" if varied else ""
    images = data.tags.get(names.TAG_VALIDATION, "")
    compared = f", and compared them on {counted(images.count(',') + 1, 'validation image')}" if images else ""
    learnt = data.tags.get(names.TAG_PAST, "")
    return (
        f"It looked for the best SRCNN network for enlarging {scales_in_words(data.scales)}{over}: it tried "
        f"{counted(configurations, 'configuration')}, each with at most {pixels(data.budget)} of "
        f"{text(data.tags.get(names.TAG_TRAIN_SET, data.params.get(names.PARAM_TRAIN, 'the training set')))}{compared}."
        + (f" It learnt from past searches: {text(learnt)}." if learnt else "")
    )


def _won(data: SearchData, scale: int) -> str:
    """Return a sentence about the winner of a scale, in Markdown."""
    verdict = next((one for one in data.verdicts or () if one.scale == scale), None)
    confirmed = confirmed_at(data, scale)
    if verdict is not None and confirmed:
        return _confirmed(data, verdict, confirmed[0])
    best = next((c for c in ranked(data, scale) if c.outcome is Outcome.FINISHED), None)
    if best is None:
        return f"x{scale}: no trial finished."
    unconfirmed = "what was confirmed was not kept as data" if data.confirmation_lost else "nothing was confirmed"
    paper = next((c for c in data.of_stage("search", scale) if c.reference and c.outcome is Outcome.FINISHED), None)
    beside = ""
    if paper is best:
        beside = ", and it is the paper's network"
    elif paper is not None and paper.gain is not None and best.gain is not None:
        beside = f", {best.gain - paper.gain:.3f} dB more than the paper's network with the same budget"
    name = escape.markdown(best.name.removeprefix(f"x{scale} "))
    return (
        f"x{scale}: **{name}** was best. It gains {best.gain:.3f} dB over bicubic on the validation "
        f"images{beside}. **Not sure:** this is one seed, the best of many, so partly luck: {unconfirmed}."
    )


def _confirmed(data: SearchData, verdict: ScaleVerdict, first: Confirmed) -> str:
    text = escape.markdown
    lead = next((lead for lead in verdict.leads if lead.images is None), None) or next(iter(verdict.leads), None)
    sentences = [f"x{verdict.scale}: **{text(verdict.champion.configuration)}** won."]
    if first.reference:
        sentences.append("It is the paper's network: nothing better was found.")
    elif lead is not None:
        where = "judging images" if lead.images is None else text(marked(lead.images, data.leaks[1]))
        sentences.append(f"It is {than_paper(lead.interval)}, on {where} and seeds that did not choose it.")
    else:
        sentences.append(
            "**Not sure** whether it is better than the paper's network: the two were not judged together."
        )
    if first.judged and verdict.champion.gain is not None:
        bounds = f" (95 %: {first.low:.2f} to {first.high:.2f})" if verdict.champion.gain.bounded else ""
        sentences.append(f"It gains {first.gains.mean():.2f} dB over bicubic{bounds}.")
    else:
        sentences.append(f"It gains {first.chose.mean():.2f} dB over bicubic on the validation images that chose it.")
    if first.psnr:
        tests = ", ".join(f"{psnr.mean():.2f} dB on {text(marked(n, data.leaks[1]))}" for n, psnr in first.psnr.items())
        kind = "that took no part in the choice" if first.judged else "that chose it"
        sentences.append(f"PSNR: {tests}, the mean of {counted(len(first.seeds), 'seed')} {kind}.")
    return " ".join(sentences)


def _cost(data: SearchData) -> str:
    trials = data.of_stage("search")
    others = [child for child in data.children if child.stage != "search"]
    busy = sum(child.metrics.get(names.METRIC_TRAIN_SECONDS, 0.0) for child in data.children)
    sentences = []
    if data.seconds is not None:
        sentences.append(f"It took {duration(data.seconds)}")
        sentences[-1] += f", in which workers trained for {duration(busy)} together." if busy else "."
    elif busy:
        sentences.append(f"So far, workers have trained for {duration(busy)} together.")
    if data.budget:
        spent = sum(child.curve[-1][0] for child in trials if child.curve) / data.budget
        early = sum(child.outcome in (Outcome.STOPPED, Outcome.WAITING) for child in trials)
        saved = f", because {early} of them stopped early" if early and spent < len(trials) else ""
        sentences.append(f"Its {counted(len(trials), 'trial')} cost as much as {spent:.1f} full trainings{saved}.")
    if others:
        sentences.append(f"The confirmation trained {counted(len(others), 'more network')}.")
    failed = sum(child.outcome is Outcome.FAILED for child in data.children)
    if failed:
        sentences.append(f"{counted(failed, 'training')} failed.")
    return " ".join(sentences)
