"""Measure a network, or bicubic, on a set of images with the papers' protocol.

    python experiments/evaluate.py --model champion --data Set5 --scale 3
    python experiments/evaluate.py --model network.safetensors --data my/photos --json scores.json

The code is in srcnn/commands/evaluate.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
