"""The sections of ``experiments/bench.py``, one module each, and shared modules: `record`, `machine`, `worker`, `plain`."""
