"""Enlarging photos with a network: tiles, precision, colour, transparency and files.

Nothing here trains or evaluates.
"""
