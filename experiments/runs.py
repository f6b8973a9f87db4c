"""List searches, verify that Ray Tune, Optuna, MLflow and the checkpoints on disk agree, repair MLflow, explain a trial.

    python experiments/runs.py list
    python experiments/runs.py verify NAME
    python experiments/runs.py repair NAME
    python experiments/runs.py --why TRIAL

The code is in srcnn/commands/runs.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.main import main_of

main = main_of("runs")

if __name__ == "__main__":
    sys.exit(main())
