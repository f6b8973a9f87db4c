"""Check what works on this machine, with advice for failures; or explain a PSNR that another program gives.

    python experiments/doctor.py
    python experiments/doctor.py --gpu
    python experiments/doctor.py --gpu --json doctor.json
    python experiments/doctor.py --psnr 34.37 --set Set5 --scale 2

The code is in srcnn/commands/doctor.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.doctor import main

if __name__ == "__main__":
    sys.exit(main())
