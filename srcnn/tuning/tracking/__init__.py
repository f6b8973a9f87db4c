"""Experiment tracking in MLflow: the schema, writing through a write-ahead log, and reading.

Nothing in this package depends on Ray or makes decisions about a search.
"""
