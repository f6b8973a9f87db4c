"""Specification, report, result and outcome of a trial, and the statistics over trials.

Nothing here runs a trial, or knows where it is logged.
"""
