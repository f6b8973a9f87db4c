"""The evaluation protocols: degradation, reconstruction and measurement of images.

Nothing here trains.
"""
