"""The paper's tables: training and measurement of their cells, and tests of the paper's claims.

Nothing here knows the layout of reports.
"""
