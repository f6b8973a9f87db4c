"""The figures of a search, each as a static picture and its interactive twin.

Nothing here reads from MLflow.
"""
