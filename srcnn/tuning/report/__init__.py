"""Reports on runs in MLflow: `build` makes the document of a run from sections, figures and data, and writes its files.

Nothing in this package trains, or changes the figures of a run.
"""
