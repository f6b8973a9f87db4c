"""Data types for trials (specification, report, result, verdict), and statistics over trials.

Nothing in this package runs trials or depends on where they are logged.
"""
