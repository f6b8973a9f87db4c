"""Reports on runs in MLflow: documents with text, tables and figures, written to files.

`document` is the model, `write` makes the files, `gather` reads a search, `search_report` turns it into a document, and
`build` knows which kind of run has which report.
"""
