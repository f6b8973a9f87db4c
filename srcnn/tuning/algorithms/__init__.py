"""Decisions of a search: samplers (the next configuration), schedulers (early stopping), and the time budget.

Nothing in this package starts Ray or writes to MLflow.
"""
