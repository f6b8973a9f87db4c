"""A whole search, from its plan to its champions.

Nothing here knows how a trial trains, or how a report looks.
"""
