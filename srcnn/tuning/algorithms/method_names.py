"""Names of samplers and schedulers, for flags and settings: a module that imports nothing, so that ``--help`` is quick."""

from __future__ import annotations

__all__ = ["FREEZE_THAW", "SAMPLERS", "SCHEDULERS"]

#: Names of the samplers: a Gaussian process that learns from all curves, including those of stopped trials (`CurveSampler`;
#: with several objectives, the tree-structured Parzen estimator); Optuna's TPE, random, Gaussian process and CMA-ES samplers
#: (CMA-ES samples categories at random); all combinations of a grid.
SAMPLERS = ("curves", "tpe", "random", "gp", "cmaes", "grid")

FREEZE_THAW = "freeze-thaw"  #: name of the scheduler under which trials pause (`srcnn.tuning.algorithms.freeze_thaw`)

#: Names of the schedulers: trials pause and continue, decided by a model of curves (`srcnn.tuning.algorithms.freeze_thaw`);
#: asynchronous successive halving (ASHA); ASHA with three brackets, the later of which stop trials later or never (Li et al., "A
#: System for Massively Parallel Hyperparameter Tuning", MLSys 2020); the median stopping rule (Golovin et al., "Google Vizier",
#: KDD 2017); no early stopping. All but the first are made by `srcnn.tuning.algorithms.early_stopping.PerScale`.
SCHEDULERS = (FREEZE_THAW, "asha", "hyperband", "median", "none")
