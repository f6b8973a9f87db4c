"""What is not public in Ray and MLflow, one module a library, and the environment that both read.

Each use is one small function that says why it is needed; a test for each fails with its name when an upgrade changes it. Of
Optuna nothing but its public interface is used. What is not public in torch stands in `srcnn.system.torch_internals`.
"""
