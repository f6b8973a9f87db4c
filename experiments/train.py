"""Train one network.

    python experiments/train.py --train T91 --test Set5 --scale 3 --pixels 60e6
    python experiments/train.py --preset paper --train T91 --test Set5 --epochs 100
    python experiments/train.py --preset article --train BSDS300/train --test BSDS300/test

The code is in srcnn/commands/train.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
