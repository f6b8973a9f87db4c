"""Ray's processes are called as `ray_titles` says."""

from __future__ import annotations

from ray._private import ray_constants
from ray.tune.trainable import function_trainable

from srcnn.tuning.adapters.ray_titles import IDLE_TITLE, TRIAL_TITLE, task_title


def test_tune_calls_the_class_of_a_functions_trials_implicitfunc() -> None:
    made = function_trainable.wrap_function(lambda config: None)
    assert task_title(made.__name__) == TRIAL_TITLE


def test_a_task_has_its_functions_name() -> None:
    assert task_title("_test") == "ray::_test"


def test_a_worker_that_waits_is_called_idle() -> None:
    assert ray_constants.WORKER_PROCESS_TYPE_IDLE_WORKER == IDLE_TITLE
