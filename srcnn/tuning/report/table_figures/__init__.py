"""Figures for a paper's table.

Nothing in this package reads from MLflow, except the weights of the networks shown.
"""
