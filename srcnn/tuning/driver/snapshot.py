"""Durable snapshots of Ray Tune's state, from which a search is resumed. Each snapshot is complete or absent.

Tune overwrites its state in place and copies it in the background. A kill or a full disk can therefore leave files that are
incomplete or inconsistent with each other, and if Tune cannot restore them, it starts from scratch without an error. So the
driver copies the state each time that Tune has written it: all files into one folder, which appears by an atomic rename, with
checksums. A resumed search uses the newest valid snapshot.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial

from srcnn.errors import SearchError, StateVersionError
from srcnn.tuning.adapters.ray_internals import (
    STATE_FILES,
    TUNER_FILE,
    allow_trials,
    is_generator_state,
    is_trial_state,
    trials_in,
)

__all__ = ["FOLDER", "Snapshot", "journal_length", "keep_snapshot", "newest_snapshot", "stage_trials"]

FOLDER = "snapshots"  #: name of the snapshots' folder in the folder of a stage

_MANIFEST = "manifest.json"
_KEPT = 2
#: Version of what a snapshot's pickles and a trial's own state hold. It rises when a class in them moves or changes.
_FORMAT = 3


class Snapshot:
    """A complete snapshot.

    Args:
        folder: folder of the snapshot.
        manifest: content of its manifest: the length of the journal, and the files with their SHA-256 digests.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.journal = int(manifest["journal"])  #: length of the tracker's journal that the snapshot includes, in bytes
        self._files: list[str] = list(manifest["files"])

    def put_back(self, trials: int) -> set[str]:
        """Replace Tune's state in the folder of the stage by this snapshot.

        Args:
            trials: new maximum number of trials of the stage; if it is higher than before, the search continues.

        Returns:
            The ids of the trials in the snapshot.

        Raises:
            SearchError: the folder cannot be written.
        """
        stage = self.folder.parent.parent
        try:
            for name in self._files:
                target, temporary = stage / name, stage / f".writing-{secrets.token_hex(4)}"
                shutil.copyfile(self.folder / name, temporary)
                if is_generator_state(Path(name)):
                    allow_trials(temporary, trials)
                os.replace(temporary, target)
            for old in _state_files(stage):
                if old.name not in self._files:
                    old.unlink()
        except OSError as error:
            raise SearchError(f"storage: {stage} cannot be written ({error.strerror})") from None
        known = {trial.trial_id for trial in stage_trials(self.folder)}
        for folder in stage.iterdir():  # trials that started after the snapshot: they are not in the store either
            if (folder / "network.safetensors").exists() and folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        return known


def _state_files(folder: Path) -> Iterable[Path]:
    return sorted(file for pattern in STATE_FILES for file in folder.glob(pattern))


def keep_snapshot(stage: Path, staging: Path, journal: int, *, check: bool = False) -> None:
    """Save a snapshot of the state that Tune has just written, and delete old snapshots.

    Args:
        stage: folder of the stage.
        staging: folder into which Tune writes before it copies to ``stage``.
        journal: length of the tracker's journal that the state includes, in bytes.
        check: whether Tune's state may be incomplete, so that its content must be checked.

    Raises:
        OSError: the snapshot cannot be written, or Tune's state is incomplete; earlier snapshots remain.
    """
    place = stage / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    names = sorted(folder.name for folder in place.iterdir() if folder.name.isdigit())
    number = int(names[-1]) + 1 if names else 1
    temporary = place / f".writing-{secrets.token_hex(4)}"
    try:
        temporary.mkdir()
        digests = {}
        for file in (*_newest_of_each(staging), stage / TUNER_FILE):
            content = file.read_bytes()
            if check and is_trial_state(file):
                json.loads(content)
            digests[file.name] = hashlib.sha256(content).hexdigest()
            _write(temporary / file.name, content)
        _write(temporary / _MANIFEST, json.dumps({"format": _FORMAT, "journal": journal, "files": digests}).encode())
        os.replace(temporary, place / f"{number:08}")
    except ValueError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise OSError(errno.ENOSPC, "Ray Tune's own state is incomplete") from None
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    for name in names[: max(0, len(names) + 1 - _KEPT)]:
        shutil.rmtree(place / name, ignore_errors=True)


def _newest_of_each(staging: Path) -> list[Path]:
    """Return the newest file of each kind. After a resume, the folder also contains the files of earlier runs."""
    found = (sorted(staging.glob(pattern)) for pattern in STATE_FILES)
    return [files[-1] for files in found if files]


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())


def newest_snapshot(stage: Path) -> Snapshot | None:
    """Return the newest valid snapshot of a stage; None: there is none, and the stage starts from the beginning.

    Raises:
        StateVersionError: a version of this project with another format of snapshots wrote it.
    """
    place = stage / FOLDER
    folders = sorted((f for f in place.glob("*") if f.name.isdigit()), reverse=True) if place.is_dir() else []
    for folder in folders:
        try:
            manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
            if all(
                hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
                for name, digest in manifest["files"].items()
            ):
                found, kept = manifest.get("format", 1), Snapshot(folder, manifest)
                break
        except (OSError, ValueError, KeyError):
            continue
    else:
        return None
    if found != _FORMAT:
        raise StateVersionError(
            f"resume: {stage} was written by another version of this project: its format must be {_FORMAT}, but is "
            f"{found}; finish it with that version, or start a new search"
        )
    return kept


def journal_length(stages: Iterable[Path]) -> int:
    """Return the length of the tracker's journal that the newest snapshots of some stages include, in bytes."""
    return max((kept.journal for stage in stages if (kept := newest_snapshot(stage)) is not None), default=0)


def stage_trials(folder: Path) -> list[Trial]:
    """Return the trials of a snapshot as Tune's objects. The files are pickles: read only files that you wrote yourself.

    Raises:
        SearchError: another version wrote the files, or they are damaged.
    """
    try:
        return trials_in(folder)
    except (AttributeError, ImportError, KeyError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise SearchError(
            f"{folder}: was written by another version of this project, or is damaged ({error})"
        ) from None
