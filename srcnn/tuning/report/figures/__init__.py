"""Figures of a search, each as a static picture and in an interactive version.

Nothing in this package reads from MLflow.
"""
