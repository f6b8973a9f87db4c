"""The network: its layers, its fast convolutions, and weights in files.

Nothing here trains or measures.
"""
