"""A report as data, and the formats that it is written in.

Nothing here knows a search or a table.
"""
