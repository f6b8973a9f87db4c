"""Sections of a report on a search or on a table.

Nothing here reads from MLflow or draws.
"""
