"""The platform on top of the library: the only home of Ray, Optuna and MLflow.

Call `configure` before Ray starts; importing this package changes nothing.
"""

from srcnn.tuning.adapters.environment import configure

__all__ = ["configure"]
