"""Training: patches, optimizers and `fit`, which yields after every epoch.

Nothing here knows a tracker, a scheduler or a search.
"""
