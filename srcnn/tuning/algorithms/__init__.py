"""What decides: the next configuration, when a trial is stopped, when the time is up.

Nothing here starts Ray or writes to MLflow.
"""
