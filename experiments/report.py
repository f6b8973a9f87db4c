"""Write the report of a search, or of a table of the paper, from MLflow: Markdown, one HTML page, PNG, CSV and LaTeX.

    python experiments/report.py
    python experiments/report.py NAME --out folder
    python experiments/report.py filter_size-cpu depth-cpu --out folder
    python experiments/report.py NAME --tracking-uri http://server:5000 --no-log

The code is in srcnn/commands/report.py, and --help shows all flags.
"""

from __future__ import annotations

import sys

from srcnn.commands.main import main_of

main = main_of("report")

if __name__ == "__main__":
    sys.exit(main())
