"""Printed figures are those of the papers, and none is invented."""

from __future__ import annotations

from srcnn.tuning.trials.published import printed


def test_the_figures_of_set5_are_those_of_eccv_2014() -> None:
    assert [printed("Set5", scale) for scale in (2, 3, 4)] == [36.34, 32.39, 30.09]
    assert printed("Set14", 3) == 29.00


def test_what_was_never_printed_is_none() -> None:
    assert printed("BSDS300/test", 3) is None
    assert printed("Set5", 5) is None
