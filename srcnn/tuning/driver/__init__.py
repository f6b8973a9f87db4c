"""The process that runs Ray Tune's event loop: stages, trial events, durable snapshots, fault handling.

Nothing in this package depends on what a search optimizes.
"""
