"""What a report needs, read from MLflow.

Nothing here draws or formats.
"""
