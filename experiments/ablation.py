"""Reproduce a table of the paper: train its cells, measure them, and compare them with the paper's figures.

    python experiments/ablation.py --table filter_size
    python experiments/ablation.py --table all --budget smoke
    python experiments/ablation.py --list

The code is in srcnn/commands/ablation.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.main import main_of

main = main_of("ablation")

if __name__ == "__main__":
    sys.exit(main())
