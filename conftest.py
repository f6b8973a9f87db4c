"""What holds for all tests, and what the test run says at its end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_state_folder() -> Iterator[None]:
    """No test seals with the key of the person who runs it."""
    with tempfile.TemporaryDirectory(prefix="srcnn-state-") as folder, pytest.MonkeyPatch.context() as patch:
        if "SRCNN_STATE" not in os.environ:
            patch.setenv("SRCNN_STATE", folder)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much of what is said to CUDA was said in a test."""
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, value in report.user_properties:
            if name == "torch_cuda_calls":
                terminalreporter.write_line(
                    f"torch.cuda: {value[0]} calls in the code, {value[1]} of them run by a test"
                )
