"""Searches replayed on recorded curves, and what they would have cost and found.

Nothing here trains a network.
"""
