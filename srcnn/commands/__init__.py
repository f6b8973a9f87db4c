"""Commands: what a person types, as functions that parse flags, call the library and print.

Each module has ``main(argv)``, which returns the exit code. ``experiments/*.py`` and the installed command ``srcnn`` call it.
"""
