"""Enlarge photos: files and whole folders, in colour, with alpha, profile, EXIF and XMP.

    python experiments/upscale.py photo.jpg --scale 3

All flags: --help. The code is in srcnn/commands/upscale.py.
"""

import sys

from srcnn.commands.upscale import main

if __name__ == "__main__":
    sys.exit(main())
