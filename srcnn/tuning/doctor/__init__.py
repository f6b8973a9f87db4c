"""Checks of this machine, each in a separate process.

Only the command imports this package.
"""
