"""Search spaces as text, and a file of one."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DEEP", "GOOD", "write"]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = "parameters:\n  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}\n"
DEEP = """\
parameters:
  depth: {type: int, low: 2, high: 4}
  n1: {type: categorical, choices: [8, 16]}
  n2: {type: categorical, choices: [8], when: {depth: [3, 4]}}
  n3: {type: categorical, choices: [4], when: {depth: 4}}
  f1: {type: categorical, choices: [9]}
  f2: {type: categorical, choices: [1, 3], when: {depth: [3, 4]}}
  f3: {type: categorical, choices: [3], when: {depth: 4}}
  f_last: {type: categorical, choices: [5, 7]}
  optimizer: {type: categorical, choices: [muon, sgd]}
  momentum: {type: float, low: 0.8, high: 0.9, points: 3, when: {optimizer: sgd}}
constants:
  scale: 2
"""
