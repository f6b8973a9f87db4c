"""Tables of recorded learning curves, made by training a grid or from past searches.

Nothing here replays searches.
"""
