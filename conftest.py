"""What the test run says at its end."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much of what is said to CUDA was said in a test."""
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, value in report.user_properties:
            if name == "torch_cuda_calls":
                terminalreporter.write_line(
                    f"torch.cuda: {value[0]} calls in the code, {value[1]} of them run by a test"
                )
