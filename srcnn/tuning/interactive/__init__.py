"""Searches from Python and notebooks: start one, watch it, and look at what it found.

The functions are `srcnn.tuning.search` and `srcnn.tuning.open_search`. Nothing here trains, chooses or measures.
"""
