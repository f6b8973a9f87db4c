"""The machine: devices, memory, processes and files.

Nothing here knows images or networks.
"""
