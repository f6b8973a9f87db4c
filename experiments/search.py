"""Search for the best SRCNN: filters, kernels, learning rate and scale.

    python experiments/search.py --trials 50
    python experiments/search.py --trials 50 --train T91 --test Set5 --scale 3 --budget 40M
    python experiments/search.py --resume NAME

The code is in srcnn/commands/search.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.main import main_of

main = main_of("search")

if __name__ == "__main__":
    sys.exit(main())
