"""Configuration as data: immutable objects that are validated on construction.

Nothing here computes on images or imports torch.
"""
