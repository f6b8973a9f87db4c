"""Training, validation and test images of a table, without images that show a test image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet, split
from srcnn.data.known_sets import data_root
from srcnn.evaluation.article import CROP
from srcnn.overlap.leaks import Leak, leaks, trained_on
from srcnn.overlap.pairs import same_photograph
from srcnn.tuning.paper.table import SAMPLE, Budget, Cell, Table

__all__ = ["TableImages", "Training", "table_images"]


@dataclass(frozen=True)
class Training:
    """A training set of a table."""

    images: ImageSet  #: without the held-out images
    left_out: tuple[Leak, ...] = ()
    kept: tuple[Leak, ...] = ()  #: leaks kept in the training or validation images


@dataclass(frozen=True)
class TableImages:
    """The images of a table."""

    training: Mapping[str, Training]  #: training sets by name; no image shows a test or validation image
    overlapping: Mapping[str, Training]  #: training sets that keep such images, for the rows that request it
    validation: ImageSet
    test: tuple[ImageSet, ...]
    left_out: tuple[Leak, ...] = ()  #: images left out of the validation images
    pool: str = ""  #: name of the set that the validation images come from

    def of(self, cell: Cell) -> Training:
        """Return the training set of a cell."""
        return (self.overlapping if cell.allow_overlap else self.training)[cell.train]


def table_images(table: Table, budget: Budget, root: Path | None = None, *, allow_overlap: bool = False) -> TableImages:
    """Load the training, validation and test images of a table.

    Test images are compared with all others by content, so that none is used for training or validation.

    Args:
        table: the table.
        budget: one of its budgets.
        root: the data root, as in `srcnn.data.known_sets.data_root`.
        allow_overlap: keep training and validation images that show a test image, in every row.

    Raises:
        DataError: a set is missing or too small.
    """
    there = data_root(root)
    test = tuple(_load(table, budget, name, there) for name in ((SAMPLE[1],) if budget.sample else table.test))
    pool = _load(table, budget, SAMPLE[0] if budget.sample else table.hold_out, there)
    shown = leaks(pool, test, "test")
    out = () if allow_overlap else {leak.image for leak in shown}
    count = min(table.validation, max(1, len(pool) // 3))
    _, validation = split(pool, count, 123, together=same_photograph(pool), leave_out=out)
    chosen_by = tuple(leak for leak in shown if leak.image in {name for name, _ in validation.images})
    wanted = {(table.trained_on(row, budget), row.allow_overlap) for row in table.rows}
    training: dict[str, Training] = {}
    overlapping: dict[str, Training] = {}
    for name, allowed in sorted(wanted):
        found = trained_on(
            _load(table, budget, name, there), pool, validation, test, allow_overlap=allowed or allow_overlap
        )
        one = Training(found.training, found.left_out, (*found.kept, *chosen_by))
        if allowed or one.kept:
            overlapping[name] = one
        if not allowed and not one.kept:
            training[name] = one
    return TableImages(training, overlapping, validation, test, () if allow_overlap else shown, pool.name)


def _load(table: Table, budget: Budget, name: str, root: Path) -> ImageSet:
    """Load a set.

    For tables with the article's protocol, bundled photographs that are too small for it are removed.
    """
    images = load(name, root)
    if not budget.sample or table.measure != "article":
        return images
    return ImageSet(images.name, tuple(pair for pair in images.images if min(pair[1].shape[:2]) >= CROP))
