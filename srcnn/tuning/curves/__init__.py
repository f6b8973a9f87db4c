"""Recorded learning curves: tables on disk, made by training a grid or from past searches.

Nothing here replays a search on them.
"""
