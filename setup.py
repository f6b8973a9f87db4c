"""What pyproject.toml cannot say: a wheel holds a copy of search_spaces/ as srcnn/_search_spaces.

In a checkout, and where it is installed with ``pip install -e``, the folder itself is read; see
srcnn/tuning/space/shipped_spaces.py.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithSpaces(build_py):
    """Copies the search spaces beside the modules."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, target in self._spaces().items():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *([] if self.editable_mode else self._spaces().values())]

    def _spaces(self) -> dict[str, str]:
        """Source and target of every file."""
        top = Path(__file__).parent / "search_spaces"
        target = Path(self.build_lib, "srcnn", "_search_spaces")
        return {str(path): str(target / path.relative_to(top)) for path in sorted(top.rglob("*.yaml"))}


setup(cmdclass={"build_py": BuildWithSpaces})
