"""What works on this machine, check by check, each in a process of its own.

Nothing imports this package but the command.
"""
