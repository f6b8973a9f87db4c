"""Make the weights and the card of a network that is shipped with the package, from a search, a run or a file.

    python experiments/champion.py SEARCH --out srcnn/champions
    python experiments/champion.py RUN_ID --out srcnn/champions

The code is in srcnn/commands/champion.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.champion import main

if __name__ == "__main__":
    sys.exit(main())
