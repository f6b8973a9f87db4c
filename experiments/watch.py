"""Show a search in a browser while it runs, or afterwards: a page of this machine that follows the search.

    python experiments/watch.py
    python experiments/watch.py NAME --open
    python experiments/watch.py NAME --storage folder --port 8000

The code is in srcnn/commands/watch.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.main import main_of

main = main_of("watch")

if __name__ == "__main__":
    sys.exit(main())
