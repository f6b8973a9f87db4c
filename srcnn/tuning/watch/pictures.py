"""Curves of trials as SVG, drawn on the server: a small one for a table's row, and one picture for each scale.

The colours come from classes of the page's style, so that both colour schemes have their own; they are Okabe and Ito's, and lines
also differ by their dashes and widths. Every text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from srcnn.tuning.watch.state import Trial
from srcnn.tuning.watch.words import decibel, plural

__all__ = ["curves", "sparkline"]

_SPARK = (96, 24)  # width and height in pixels
_WIDE = (640, 300)
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 36  # margins
_TICKS = 5  # wanted number of labels on an axis
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LOW = 0.25  # share of the points that may lie below the picture: the first epochs can be far below all others
_MOST = 400  # curves in a picture; of more, those with the highest gains are drawn


def sparkline(trial: Trial) -> Markup:
    """Return the curve of a trial for a row of a table; empty before its second epoch."""
    values = [value for value in trial.curve if math.isfinite(value)]
    if len(values) < 2:
        return Markup("")
    (width, height), low, high = _SPARK, min(values), max(values)
    across = max(trial.epochs, len(values), 2) - 1
    points = " ".join(
        f"{2 + (width - 4) * i / across:.1f},{height - 3 - (height - 6) * (value - low) / ((high - low) or 1.0):.1f}"
        for i, value in enumerate(values)
    )
    label = f"gain from {decibel(values[0])} to {decibel(values[-1])} in {plural(len(values), 'epoch')}"
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">'
        '<polyline class="line running" points="{}"/></svg>'
    ).format(width, height, width, height, label, points)


def curves(trials: Sequence[Trial], scale: int, best: str | None) -> Markup:
    """Return the curves of all trials of a scale in one picture; empty if none has an epoch.

    Args:
        trials: the trials; those of other scales are left out.
        scale: the scale.
        best: id of the best trial.
    """
    shown = [trial for trial in trials if trial.scale == scale and any(map(math.isfinite, trial.curve))]
    shown = sorted(shown, key=lambda trial: -(trial.gain if trial.gain is not None else -math.inf))[:_MOST]
    if not shown:
        return Markup("")
    epochs = max(max(len(trial.curve), trial.epochs) for trial in shown)
    low, high = _range(value for trial in shown for value in trial.curve if math.isfinite(value))
    # The lines that matter are drawn last, above the others.
    ordered = sorted(shown, key=lambda trial: _rank(trial, best))
    label = f"x{scale}: gain over bicubic after every epoch, {plural(len(shown), 'trial')}"
    lines = [_curve(trial, epochs, low, high, _kind(trial, best)) for trial in ordered]
    width, height = _WIDE
    clip = f"clip-x{scale}"
    return Markup(
        '<svg class="curves" viewBox="0 0 {} {}" role="img" aria-label="{}">{}'
        '<clipPath id="{}"><rect x="{}" y="{}" width="{}" height="{}"/></clipPath><g clip-path="url(#{})">{}</g></svg>'
    ).format(
        width, height, label, _axes(epochs, low, high),
        clip, _LEFT, _TOP - 4, width - _LEFT - _RIGHT + 4, height - _TOP - _BOTTOM + 4, clip, Markup("").join(lines),
    )  # fmt: skip


def _rank(trial: Trial, best: str | None) -> int:
    return ("other", "running", "paper", "best").index(_kind(trial, best))


def _kind(trial: Trial, best: str | None) -> str:
    if trial.id == best:
        return "best"
    if trial.reference:
        return "paper"
    return "running" if trial.state == "running" else "other"


def _range(values: Iterable[float]) -> tuple[float, float]:
    """Return the limits of the vertical axis: all values but the lowest quarter, if first epochs lie far below the others."""
    ordered = sorted(values)
    low, high = ordered[int(_LOW * len(ordered))], ordered[-1]
    if low - ordered[0] < (high - low) / 2:  # the lowest ones are not far away
        low = ordered[0]
    room = max((high - low) * 0.06, 0.005)
    return low - room, high + room


def _x(epoch: float, epochs: int) -> float:
    return _LEFT + (_WIDE[0] - _LEFT - _RIGHT) * (epoch - 1) / max(1, epochs - 1)


def _y(value: float, low: float, high: float) -> float:
    return _WIDE[1] - _BOTTOM - (_WIDE[1] - _TOP - _BOTTOM) * (value - low) / (high - low)


def _curve(trial: Trial, epochs: int, low: float, high: float, kind: str) -> Markup:
    points = [
        (_x(epoch, epochs), _y(max(value, low - (high - low)), low, high))
        for epoch, value in enumerate(trial.curve, start=1)
        if math.isfinite(value)
    ]
    state = "the paper's network, " if trial.reference else ""
    title = f"{trial.name}: {state}{trial.state}, {decibel(trial.gain)} after {plural(trial.epoch, 'epoch')}"
    if len(points) == 1:
        drawn = Markup('<circle class="dot {}" cx="{}" cy="{}" r="3">').format(kind, *(f"{p:.1f}" for p in points[0]))
        return drawn + Markup("<title>{}</title></circle>").format(title)
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polyline class="line {}" points="{}"><title>{}</title></polyline>').format(kind, text, title)


def _axes(epochs: int, low: float, high: float) -> Markup:
    width, height = _WIDE
    parts: list[Markup] = []
    for value in _ticks(low, high):
        y = f"{_y(value, low, high):.1f}"
        parts.append(Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(_LEFT, width - _RIGHT, y, y))
        label = f"{value:.10g}".replace("-", "−")
        parts.append(Markup('<text x="{}" y="{}" dy="0.32em" text-anchor="end">{}</text>').format(_LEFT - 6, y, label))
    for value in (v for v in _ticks(1, epochs) if v == int(v) and v >= 1):
        x = f"{_x(value, epochs):.1f}"
        parts.append(
            Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(x, height - _BOTTOM + 16, int(value))
        )
    middle = (_LEFT + width - _RIGHT) / 2
    parts.append(Markup('<text x="{}" y="{}" text-anchor="middle">epoch</text>').format(middle, height - 4))
    return Markup("").join(map(escape, parts))


def _ticks(low: float, high: float) -> list[float]:
    """Return round values between two limits."""
    if high <= low:
        return [low]
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]
