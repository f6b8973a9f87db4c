"""Complete searches: from a plan to results, confirmation, and the champions in the model registry.

Nothing in this package depends on how a trial trains or how a report is rendered.
"""
