"""The sections of ``experiments/bench.py``, a module each, and what they share: `record`, `machine`, `worker`, `plain`."""
