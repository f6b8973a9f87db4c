"""Code of Ray's workers: one trial, and the measurement of trained networks.

Nothing here decides which trial runs.
"""
