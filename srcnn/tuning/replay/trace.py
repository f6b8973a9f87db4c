"""What is kept of one repetition of a replay: its incumbents, its cost, and whether it left a best configuration unfinished."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Step", "Trace"]


@dataclass(frozen=True)
class Step:
    """A new incumbent: the end of a trial with the best value that the search has seen."""

    compute: float  #: compute of all workers since the start, in core-seconds
    pixels: float  #: target pixels since the start
    clock: float  #: time since the start, in seconds
    regret: float  #: quality of the best configuration minus that of the incumbent, in dB, by runs that the search did not see
    among_best: bool  #: whether the incumbent is among the best


@dataclass
class Trace:
    """One repetition of a replay."""

    steps: list[Step] = field(default_factory=list)  #: incumbents in the order of time; their observed value increases
    compute: float = 0.0  #: total compute, in core-seconds
    trials: int = 0
    finished: int = 0  #: number of finished trials
    resumed: int = 0  #: how often a paused trial continued
    nearest: int = 0  #: number of suggestions missing in the table and replaced by the nearest configuration
    #: Whether a configuration that is among the best had at least one epoch but none of the best had finished at the end.
    lost: bool = False
    #: Whether, of the runs that had at least one epoch, the one with the highest recorded value was not finished at the end.
    dropped: bool = False

    def reached(self) -> Step | None:
        """Return the first incumbent that is among the best; None if there is none."""
        return next((step for step in self.steps if step.among_best), None)

    def regret(self, compute: float, worst: float) -> float:
        """Return the regret after an amount of compute in core-seconds, in dB; ``worst`` before any trial has finished."""
        value = worst
        for step in self.steps:
            if step.compute > compute:
                break
            value = min(step.regret, worst)
        return value
