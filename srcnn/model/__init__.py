"""The network: its layers, fast convolutions, and weights files.

Nothing here trains or evaluates.
"""
