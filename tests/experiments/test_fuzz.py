"""The seeds of every target of the fuzzer, and files damaged at random, are accepted or refused in one line."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from _faults.fuzz_target import SEEDS, Harness, _apart


@pytest.mark.parametrize("target", SEEDS)
def test_damaged_files_are_accepted_or_refused_in_one_line(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["", target, str(tmp_path)])
    findings = tmp_path / "findings"
    findings.mkdir()
    harness, source = Harness(target, tmp_path, findings), random.Random(1)
    seeds = [part for seed in SEEDS[target]() for part in _apart(target, seed)][:6]
    if target == "curves":  # damage to what is compressed: tests/tuning/curves/test_curve_table.py
        seeds = [seed for seed in seeds if not seed.startswith(b"\x1f\x8b")]
    for seed in seeds:
        harness(seed)
    for _ in range(20):
        data = bytearray(source.choice(seeds))
        for _ in range(source.randint(1, 8)):
            place = source.randrange(len(data))
            match source.randrange(4):
                case 0:
                    data[place] = source.randrange(256)
                case 1:
                    del data[place : place + source.randint(1, 40)]
                case 2:
                    data[place:place] = data[: source.randint(1, 40)]
                case _:
                    data[place:place] = source.choice(
                        [b"{", b"[", b"9" * 30, b"\0", b"-1", b"null", b"1e999", b": ", b"\xff"]
                    )
            if not data:
                break
        harness(bytes(data))
    assert harness.found == {}
