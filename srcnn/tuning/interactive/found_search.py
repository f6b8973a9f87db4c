"""What a search has found: `FoundSearch`, with a table of the trials, networks, pictures and the report."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from srcnn.config.quantities import counted
from srcnn.errors import ConfigError, SearchError
from srcnn.model.network import SRCNN, count_parameters
from srcnn.model.weights_file import load_network
from srcnn.tuning.interactive.plots import Plot, curves, history, parameters
from srcnn.tuning.report.build import build
from srcnn.tuning.report.data.search_data import Child, SearchData, find_parent, gather
from srcnn.tuning.report.document.write import write
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import artifact_file, open_store, reading
from srcnn.tuning.trials.outcome import Outcome

if TYPE_CHECKING:
    import pandas

__all__ = ["FoundSearch"]

_SHOWN = 3  # configurations of each scale in the summary
_COLUMNS = ("trial", "configuration", "stage", "scale", "outcome", "reference", "gain", "psnr", "pixels", "seconds")


@dataclass(frozen=True)
class FoundSearch:
    """A search as its MLflow store has it. In a notebook, the last value of a cell shows as a table.

    Gains are over bicubic on the validation images, in dB.
    """

    data: SearchData  #: everything that the store has of the search
    interrupted: bool = False  #: whether it has not ended: resume it by its name

    @classmethod
    def read(cls, uri: str, name: str | None = None, *, interrupted: bool | None = None) -> FoundSearch:
        """Read a search from a store.

        Args:
            uri: address of the store.
            name: name of the search; None: the newest.
            interrupted: whether it was interrupted; None: as the status of its run says.

        Raises:
            SearchError: the store cannot be read, or it has no such search.
        """
        data = gather(uri, find_parent(uri, name))
        return cls(data, data.status != "FINISHED" if interrupted is None else interrupted)

    @property
    def name(self) -> str:
        """Name of the search."""
        return self.data.name

    @property
    def scales(self) -> list[int]:
        """Upscaling factors that have a trial."""
        return self.data.scales

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the confirmation found, a sentence or more for each scale; empty without a confirmation."""
        return tuple(line for verdict in self.data.verdicts or () for line in verdict.sentences())

    def frame(self) -> pandas.DataFrame:
        """Return a table of all trainings, one row each, oldest first.

        Columns: trial (id), configuration, stage (search, confirm, judge; rung), scale, outcome, reference (the paper's network),
        gain (dB, best epoch), psnr (dB, best epoch, validation images), pixels (training pixels), seconds (of training), one
        column for each parameter of the space, and failure (one line).
        """
        import pandas as pd

        rows = [self._row(child) for child in self.data.children]
        varied = list(dict.fromkeys(name for child in self.data.children for name in child.values))
        own = [name for name in varied if name not in _COLUMNS]
        return pd.DataFrame(rows, columns=[*_COLUMNS, *own, "failure"])

    def _row(self, child: Child) -> dict[str, Any]:
        metrics = child.metrics
        own = {
            "trial": child.trial_id,
            "configuration": child.name,
            "stage": child.stage,
            "scale": child.scale,
            "outcome": str(child.outcome),
            "reference": child.reference,
            "gain": child.gain,
            "psnr": metrics.get(names.METRIC_BEST_VAL_PSNR),
            "pixels": metrics.get(names.METRIC_PIXELS),
            "seconds": metrics.get(names.METRIC_TRAIN_SECONDS),
            "failure": child.failure,
        }
        return {**child.values, **own}

    def _scale(self, scale: int | None) -> int:
        if scale in self.scales:
            return int(scale)
        if scale is None and len(self.scales) == 1:
            return self.scales[0]
        there = ", ".join(map(str, self.scales)) or "none"
        got = "none was given" if scale is None else f"got {scale}"
        raise ConfigError(f"scale: must be one of those of the search {self.name} ({there}), but {got}")

    def best(self, scale: int | None = None) -> Child:
        """Return the training whose network is the search's champion at a scale.

        After a confirmation it is one of the winner: of its judging seeds, the one with the highest gain on the validation
        images, which did not judge it. Without one it is the finished trial with the highest gain.

        Raises:
            ConfigError: the search has no such scale, or several and none is given.
            SearchError: no trial of the scale has finished.
        """
        scale = self._scale(scale)
        for verdict in self.data.verdicts or ():
            if verdict.scale == scale:
                ids = {one.trial_id for one in verdict.ranked[0].counted}
                return max((self.data.by_trial[i] for i in sorted(ids)), key=_gain)
        finished = _ranked(self.data.of_stage("search", scale))
        if not finished:
            raise SearchError(f"search {self.name}: no trial at x{scale} has finished")
        return finished[0]

    def champion(self, scale: int | None = None) -> SRCNN:
        """Return the network that the search found for a scale, on the CPU, in evaluation mode.

        It is the best of this search, whether or not the model registry holds a better one.

        Args:
            scale: upscaling factor; it may be left out if the search has one only.

        Raises:
            ConfigError: the search has no such scale, or several and none is given.
            SearchError: no trial of the scale has finished, or the store does not have its network.
        """
        child = self.best(scale)
        with reading(self.data.uri), TemporaryDirectory() as folder:
            client = open_store(self.data.uri)
            file = artifact_file(client, child.run_id, names.ARTIFACT_NETWORK, Path(folder))
            if file is None:
                raise SearchError(f"search {self.name}: the store has no network of the trial {child.trial_id}")
            return load_network(file).eval()

    def plot_history(self) -> Plot:
        """Return a picture: the gain of each trial in the order of their start, and the best so far, for each scale."""
        return history(self.data.of_stage("search"), self.scales)

    def plot_curves(self, scale: int | None = None) -> Plot:
        """Return a picture: the learning curve of each trial of a scale, gain against training pixels."""
        scale = self._scale(scale)
        return curves(self.data.of_stage("search", scale), f"x{scale}")

    def plot_parameters(self, scale: int | None = None) -> Plot:
        """Return a picture: the gain of each trial of a scale against the value of each parameter."""
        scale = self._scale(scale)
        return parameters(self.data.of_stage("search", scale), self.data.space, f"x{scale}")

    def report(self, folder: str | Path | None = None) -> Path:
        """Write the report of the search, as ``experiments/report.py`` does, and return the path of its HTML page.

        Args:
            folder: folder for the files (default: mlruns/reports/NAME).

        Raises:
            SearchError: the store cannot be read.
            DataError: a file cannot be written.
        """
        target = Path("mlruns/reports", self.name) if folder is None else Path(folder)
        if target.exists() and not target.is_dir():
            raise ConfigError(f"folder: must be a folder, but {target} is a file")
        parent = find_parent(self.data.uri, self.name)
        return write(build(self.data.uri, parent), target)[1]

    def __repr__(self) -> str:
        lines = [self._heading()]
        for scale in self.scales:
            for child in _ranked(self.data.of_stage("search", scale))[:_SHOWN]:
                lines.append(f"  x{scale}  {_gain(child):+.3f} dB  {child.name}")
        return "\n".join([*lines, *(f"  {line}" for line in self.sentences)])

    def _repr_html_(self) -> str:
        cells = []
        for scale in self.scales:
            for place, child in enumerate(_ranked(self.data.of_stage("search", scale))[:_SHOWN], start=1):
                size = "" if child.network is None else f"{count_parameters(child.network):,}"
                texts = (f"x{scale}", str(place), child.name, f"{_gain(child):+.3f}", size)
                cells.append("<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in texts) + "</tr>")
        heads = ("scale", "place", "configuration", "gain (dB)", "weights")
        table = "<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>" + "".join(cells)
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in self.sentences)
        return f"<p><b>{html.escape(self._heading())}</b></p><table>{table}</table>{lines}"

    def _heading(self) -> str:
        trials = self.data.of_stage("search")
        counts = [(kind, sum(child.outcome is kind for child in trials)) for kind in Outcome]
        text = f"search {self.name}: {counted(len(trials), 'trial')}"
        text += "".join(f", {count} {kind}" for kind, count in counts if count)
        return text + ("; it has not ended: resume=True continues it" if self.interrupted else "")


def _gain(child: Child) -> float:
    return float("-inf") if child.gain is None else child.gain


def _ranked(children: Sequence[Child]) -> list[Child]:
    """Return the finished trainings, highest gain first."""
    return sorted((c for c in children if c.outcome is Outcome.FINISHED), key=_gain, reverse=True)
