"""The sections of a report: what is said of a search or a table, in order.

Nothing here reads from MLflow or draws.
"""
