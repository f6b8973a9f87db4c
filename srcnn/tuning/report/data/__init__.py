"""Data of a report, read from MLflow.

Nothing here draws or formats.
"""
