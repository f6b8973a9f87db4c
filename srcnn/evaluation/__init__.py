"""The protocols: how an image is degraded, reconstructed and measured.

Nothing here trains.
"""
