"""Named sets of images: registry, loading, downloading and splitting.

Nothing here knows networks.
"""
