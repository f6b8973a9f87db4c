"""The checks that need no GPU pass here, and a library of another version does not."""

from __future__ import annotations

from importlib import metadata

import pytest

from srcnn.errors import SearchError
from srcnn.tuning.doctor.software_checks import recorded_step, step_on_meta, versions


def test_the_libraries_are_those_that_were_written_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = versions()
    assert seen.figures["torch"] == metadata.version("torch") and "torch is built" in seen.text
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "1.0" if name == "numpy" else real(name))
    with pytest.raises(SearchError, match=r"numpy: must be .*>=2\.2.*, but got 1\.0"):
        versions()


def test_steps_look_at_no_value_and_recordings_are_judged_rightly() -> None:
    assert step_on_meta().figures == {"kinds": 4}
    assert "a correct recording is used, a wrong one is not" in recorded_step().text
