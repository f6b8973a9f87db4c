"""Run the notebooks of this folder and write their outputs into them.

    python examples/execute.py
    python examples/execute.py tour.ipynb
    python examples/execute.py tour.ipynb --out /tmp/executed     # leave the notebook here as it is

Each runs in a temporary folder, so what it writes is gone afterwards. With SRCNN_EXAMPLES=tiny they compute less, as in
their test.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parent
_LIMIT = 1800  # seconds for a cell, on a busy machine


def execute(path: Path) -> str:
    """Return a notebook with the outputs of a new run, as JSON.

    Raises:
        CellExecutionError: a cell raised an error.
    """
    notebook = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder, TemporaryDirectory() as sockets:
        # Over sockets in files: TCP ports are open to every user of the machine.
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/kernel")
        resources = {"metadata": {"path": folder}}
        options = {"timeout": _LIMIT, "startup_timeout": _LIMIT, "record_timing": False}
        NotebookClient(notebook, km=kernel, resources=resources, **options).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("metadata", {}).clear()
            output.pop("transient", None)
    return nbformat.writes(notebook) + "\n"


def main() -> int:
    """Run the notebooks that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME.ipynb", help="notebooks (default: all)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder for the results (default: this one)")
    options = parser.parse_args()
    for name in options.names or sorted(path.name for path in FOLDER.glob("*.ipynb")):
        try:
            text = execute(FOLDER / name)
        except CellExecutionError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        target = (options.out or FOLDER) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(f"{target}: {len(text) / 1024:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
