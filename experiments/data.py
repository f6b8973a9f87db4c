"""List, download, verify and compare the data sets.

    python experiments/data.py list
    python experiments/data.py fetch T91 Set5 Set14        # or: fetch all; weights are the authors' released networks
    python experiments/data.py verify
    python experiments/data.py overlap T91 BSDS300/train Set5 Set14     # which images show the same photograph

The code is in srcnn/commands/data.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.data import main

if __name__ == "__main__":
    sys.exit(main())
