"""Preparation of a search: settings, images, speed of this machine, estimate of time and memory.

Nothing here starts a trial of a search.
"""
