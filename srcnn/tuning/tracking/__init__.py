"""MLflow: what is written, through a write-ahead log, and how it is read again.

Nothing here knows Ray, or decides anything about a search.
"""
