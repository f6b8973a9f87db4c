"""Adapters for non-public parts of Ray and MLflow, one module per library, and the environment variables that both read.

Each use is a small function that says why it is needed, and has a test that fails with its name when an upgrade changes it. Only
the public interface of Optuna is used. Non-public parts of torch are used in `srcnn.system.torch_internals`.
"""
