"""This machine: devices and their memory, processes, files written whole or not at all.

Nothing here knows an image or a network.
"""
