"""The figures of a paper's table.

Nothing here reads from MLflow, but for the weights that are drawn.
"""
