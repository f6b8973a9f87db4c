"""Search for images that show the same photograph: within a set, and between training and test sets.

Nothing here knows networks or metrics.
"""
