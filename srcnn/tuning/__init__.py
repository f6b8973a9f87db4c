"""Hyperparameter-search platform on top of the library; only this package uses Ray, Optuna and MLflow.

Call `configure` before Ray starts; importing this package has no side effects.
"""

from srcnn.tuning.adapters.environment import configure

__all__ = ["configure"]
