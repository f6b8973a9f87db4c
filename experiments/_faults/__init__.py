"""Parts of ``experiments/faults.py``: points at which a process writes, faults at these points, and the jobs that are run."""
