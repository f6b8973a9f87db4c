"""Names of samplers and schedulers: those that the settings accept, in a module that imports no platform."""

from __future__ import annotations

import subprocess
import sys

from srcnn.tuning.algorithms import early_stopping, method_names, study_searcher


def test_the_names_are_those_of_the_modules_that_make_them() -> None:
    assert study_searcher.SAMPLERS is method_names.SAMPLERS
    assert early_stopping.SCHEDULERS is method_names.SCHEDULERS
    assert method_names.FREEZE_THAW in method_names.SCHEDULERS


def test_settings_load_neither_ray_optuna_mlflow_nor_torch() -> None:
    code = (
        "import sys, srcnn.tuning.planning.settings\n"
        "print(*{'ray', 'optuna', 'mlflow', 'torch', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
