"""Images that show the same photograph: within a set, and between training and test sets.

Nothing here knows a network or a figure.
"""
