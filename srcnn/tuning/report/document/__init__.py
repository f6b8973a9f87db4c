"""A report as data, and its output formats.

Nothing in this package depends on searches or tables.
"""
