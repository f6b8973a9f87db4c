"""Searches replayed on recorded curves: their cost and their results.

Nothing here trains networks.
"""
