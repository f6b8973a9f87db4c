"""The papers' tables: which cells, trained or measured how, and which claims hold.

Nothing here knows how a report looks.
"""
