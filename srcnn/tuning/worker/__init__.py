"""Code that runs in Ray's worker processes: one trial, and the measurement of trained networks.

Nothing in this package decides which trial runs.
"""
