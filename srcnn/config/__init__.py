"""Configuration as data: frozen, strict, checked when it is made.

Nothing here computes on images or imports torch.
"""
