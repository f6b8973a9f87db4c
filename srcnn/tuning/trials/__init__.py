"""What a trial is and what came of it, with the statistics over trials.

Nothing here runs a trial, or knows where it is logged.
"""
