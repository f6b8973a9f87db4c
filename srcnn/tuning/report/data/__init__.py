"""Data for a report, read from MLflow.

Nothing in this package draws or formats.
"""
