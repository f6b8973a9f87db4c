"""The platform on top of the library: the only home of Ray, Optuna and MLflow."""
