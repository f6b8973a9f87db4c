"""Sets of images by name: what belongs to them, where they lie, how they are fetched and split.

Nothing here knows a network.
"""
