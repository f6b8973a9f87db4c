"""Write a network for other programs, as an ONNX file or a file of torch.export.

    python experiments/export.py --model champion --scale 3 --out x3.onnx
    python experiments/export.py --model network.safetensors --out x3.pt2

The code is in srcnn/commands/export.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.main import main_of

main = main_of("export")

if __name__ == "__main__":
    sys.exit(main())
