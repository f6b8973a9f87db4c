"""Search spaces: parameters, conditions and constraints, read from a file.

Nothing here knows Ray or MLflow, or runs trials.
"""
