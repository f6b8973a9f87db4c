"""Reports out of MLflow: a document of text, tables and figures, and the files that it becomes.

`document` is the model, `write` makes the files, `gather` reads a search, `search_report` turns it into a document, and
`build` knows which kind of run has which report.
"""
