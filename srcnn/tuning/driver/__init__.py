"""What runs around Ray Tune's loop: a stage, its events, its snapshots, its faults.

Nothing here knows what a search is looking for.
"""
