"""Search for the best SRCNN: filters, kernels, learning rate and scale.

    python experiments/search.py --trials 50
    python experiments/search.py --trials 50 --train T91 --test Set5 --scale 3 --budget 40M
    python experiments/search.py --resume NAME

Every trial trains one configuration on its own GPU (or CPU core on a machine without a GPU). Weak trials are stopped
early, the best configuration per scale is chosen on validation images, and the test sets are measured after that. Every
trial is a run in MLflow. A terminal shows one table while it runs; logs and pipes get plain lines with the time. The exit
code is 0 if the search ended, 1 if it ended and no trial finished, 2 after an error, 130 if it was interrupted.
"""

from __future__ import annotations

from srcnn.commands.command_line import run
from srcnn.commands.search_flags import given_settings, search_parser
from srcnn.system.invocation import command
from srcnn.tuning import configure
from srcnn.tuning.planning.one_driver import check_free

__all__ = ["main"]


def _main(argv: list[str] | None) -> int:
    options = search_parser(__doc__).parse_args(argv)
    configure()
    settings, resume = given_settings(options)
    check_free(settings, resume=resume)
    # Torch, Ray and MLflow take seconds to import; --help and wrong flags do not wait for them.
    from srcnn.commands.search_session import run_session

    return run_session(options, settings, resume=resume)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), f"interrupted; {command('search')} --resume continues")
