"""Training: patches, optimizers and `fit`, a generator that yields after every epoch.

Nothing here knows tracking, schedulers or searches.
"""
