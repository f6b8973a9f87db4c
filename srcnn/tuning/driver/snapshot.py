"""Durable snapshots of Ray Tune's state, from which a search is resumed. Each snapshot is complete or absent.

Tune overwrites its state in place and copies it in the background. A kill or a full disk can therefore leave files that are
incomplete or inconsistent with each other, and if Tune cannot restore them, it starts from scratch without an error. So the
driver copies the state each time that Tune has written it: all files into one folder, which appears by an atomic rename, with
checksums. A resumed search uses the newest valid snapshot.

Most of these files are pickles, and reading a pickle runs the code that it names. So a snapshot has a seal (`srcnn.system.seal`)
over its manifest, and thereby over all of its files: it is read only if this user wrote it with this user's key and nobody else
could have changed it since. Manifest and seal are in the same file, and the folder appears with it, so a kill leaves no snapshot
without its seal. Snapshots from elsewhere are accepted on request: `check_saved_state` seals a copy of them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import secrets
import shutil
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial

from srcnn.errors import SearchError, StateVersionError
from srcnn.system.bounded_read import parse_json, read_bytes, read_text
from srcnn.system.leftovers import WRITING, remove_leftovers
from srcnn.system.seal import keep_to_yourself, seal, sealed, strangers
from srcnn.tuning.adapters.ray_internals import (
    STATE_FILES,
    TUNER_FILE,
    allow_trials,
    is_generator_state,
    is_trial_state,
    trials_in,
)

__all__ = [
    "FOLDER",
    "Snapshot",
    "check_saved_state",
    "journal_length",
    "keep_snapshot",
    "newest_snapshot",
    "stage_trials",
]

FOLDER = "snapshots"  #: name of the snapshots' folder in the folder of a stage

_MANIFEST = "manifest.json"
_KEPT = 2
_LARGEST = 512 << 20  # bytes of a file of Tune's state; that of a search with a thousand trials has some megabytes
#: Version of what a snapshot's pickles and a trial's own state hold. It rises when a class in them moves or changes.
_FORMAT = 4


#: Folders of stages whose state a person has accepted for this process.
_accepted: set[Path] = set()


class Snapshot:
    """A complete snapshot.

    Args:
        folder: folder of the snapshot.
        manifest: content of its manifest: the length of the journal, the files with their SHA-256 digests, and the seal.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.journal = int(manifest["journal"])  #: length of the tracker's journal that the snapshot includes, in bytes
        self._digests: dict[str, str] = dict(manifest["files"])
        self._manifest = manifest

    @property
    def distrust(self) -> str:
        """Why the files must not be read, as the end of a sentence; empty: this user wrote them, and nobody else could."""
        stage = self.folder.parent.parent
        if stage.resolve() in _accepted:
            return ""
        try:
            for path in (stage.resolve(), self.folder.parent, self.folder, *self._paths, self.folder / _MANIFEST):
                if found := strangers(path):
                    return found
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        wrong = sealed(_sealed_part(self._manifest), str(self._manifest.get("seal", "")))
        return f"it {wrong}" if wrong else ""

    @property
    def _paths(self) -> list[Path]:
        return [self.folder / name for name in self._digests]

    def require_trust(self) -> None:
        """Check that the files may be read.

        Raises:
            SearchError: another user, another machine or an older version may have written them.
        """
        if why := self.distrust:
            raise SearchError(
                f"resume: {self.folder.parent.parent} must have been written by you on this machine, because reading it runs "
                f"code, but {why}; --trust-saved-state accepts it once"
            )

    def contents(self) -> dict[str, bytes]:
        """Return the files by name.

        Raises:
            OSError: a file cannot be read, or has changed since the snapshot was found.
        """
        found = {}
        for name, digest in self._digests.items():
            found[name] = read_bytes(self.folder / name, _LARGEST)
            if hashlib.sha256(found[name]).hexdigest() != digest:
                raise OSError(errno.EILSEQ, "has changed while it was read", str(self.folder / name))
        return found

    def put_back(self, trials: int) -> set[str]:
        """Replace Tune's state in the folder of the stage by this snapshot.

        Args:
            trials: new maximum number of trials of the stage; if it is higher than before, the search continues.

        Returns:
            The ids of the trials in the snapshot.

        Raises:
            SearchError: the folder cannot be written, or the files may be somebody else's.
        """
        self.require_trust()
        stage = self.folder.parent.parent
        remove_leftovers(stage)
        try:
            for name, content in self.contents().items():
                target, temporary = stage / name, stage / f"{WRITING}{secrets.token_hex(4)}"
                _write(temporary, content)
                if is_generator_state(Path(name)):
                    allow_trials(temporary, trials)
                os.replace(temporary, target)
            for old in _state_files(stage):
                if old.name not in self._digests:
                    old.unlink()
        except OSError as error:
            raise SearchError(f"storage: {stage} cannot be written ({error.strerror})") from None
        known = {trial.trial_id for trial in stage_trials(self.folder)}
        for folder in stage.iterdir():  # trials that started after the snapshot: they are not in the store either
            if (folder / "network.safetensors").exists() and folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        return known


def _sealed_part(manifest: Mapping[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in manifest.items() if name != "seal"}, sort_keys=True).encode()


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
    files = {}
    for file in (*_newest_of_each(staging), stage / TUNER_FILE):
        files[file.name] = content = file.read_bytes()
        if check and is_trial_state(file):
            try:
                json.loads(content)
            except ValueError:
                raise OSError(errno.ENOSPC, "Ray Tune's own state is incomplete") from None
    _add_snapshot(stage, files, journal)


def _add_snapshot(stage: Path, files: Mapping[str, bytes], journal: int) -> None:
    """Write a snapshot with its seal, and delete old ones.

    Raises:
        OSError: it cannot be written; earlier snapshots remain.
    """
    place = stage / FOLDER
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (stage, place):  # a mask of 002 lets the group write
        keep_to_yourself(folder)
    remove_leftovers(place)
    names = sorted(folder.name for folder in place.iterdir() if folder.name.isdigit())
    number = int(names[-1]) + 1 if names else 1
    temporary = place / f"{WRITING}{secrets.token_hex(4)}"
    try:
        temporary.mkdir(mode=0o700)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        for name, content in files.items():
            _write(temporary / name, content)
        manifest: dict[str, Any] = {"format": _FORMAT, "journal": journal, "files": digests}
        manifest["seal"] = seal(_sealed_part(manifest))
        _write(temporary / _MANIFEST, json.dumps(manifest).encode())
        os.replace(temporary, place / f"{number:08}")
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
    """Write a new file that only this user can read and write."""
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:  # of an open file, it would not say which
        raise OSError(error.errno, error.strerror, str(file)) from None


def newest_snapshot(stage: Path) -> Snapshot | None:
    """Return the newest valid snapshot of a stage; None: there is none, and the stage starts from the beginning.

    Raises:
        StateVersionError: a version of this project with another format of snapshots wrote it.
    """
    place = stage / FOLDER
    folders = sorted((f for f in place.glob("*") if f.name.isdigit()), reverse=True) if place.is_dir() else []
    for folder in folders:
        try:
            manifest = parse_json(read_text(folder / _MANIFEST))
            if all(_is_file_of_state(name) and _digest(folder / name) == d for name, d in manifest["files"].items()):
                found, kept = manifest.get("format", 1), Snapshot(folder, manifest)
                break
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    else:
        return None
    if found != _FORMAT:
        raise StateVersionError(
            f"resume: {stage} was written by another version of this project: its format must be {_FORMAT}, but is "
            f"{found}; finish it with that version, or start a new search"
        )
    return kept


def _is_file_of_state(name: str) -> bool:
    """Return whether a name of a manifest is one of a file in the snapshot's folder; a path could lead anywhere."""
    return Path(name).name == name and (name == TUNER_FILE or any(fnmatchcase(name, p) for p in STATE_FILES))


def _digest(file: Path) -> str:
    return hashlib.sha256(read_bytes(file, _LARGEST)).hexdigest()


def check_saved_state(folder: Path, *, trust: bool = False) -> None:
    """Check that the saved state of a search may be read, before anything is written.

    Args:
        folder: folder of the search, or of a run of a table.
        trust: whether to accept what somebody else may have written: copies of the newest snapshots are sealed. Where a seal does
            not help, because the folder belongs to somebody else, they are accepted by this process alone.

    Raises:
        StateVersionError: a version of this project with another format of snapshots wrote it.
        SearchError: it may be somebody else's, or it cannot be sealed.
    """
    places = [*folder.glob(FOLDER), *folder.glob(f"*/{FOLDER}"), *folder.glob(f"run-*/tune/{FOLDER}")]
    for place in sorted(places):
        kept = newest_snapshot(place.parent)
        if kept is None or not kept.distrust:
            continue
        if trust:
            try:
                _add_snapshot(place.parent, kept.contents(), kept.journal)
            except OSError as error:
                raise SearchError(f"resume: {place.parent} cannot be sealed ({error.strerror})") from None
            kept = newest_snapshot(place.parent)
            assert kept is not None, "it has just been written"
            if kept.distrust:  # the file system has no owners or rights, or the folder of the stage is somebody else's
                _accepted.add(place.parent.resolve())
        else:
            kept.require_trust()


def journal_length(stages: Iterable[Path]) -> int:
    """Return the length of the tracker's journal that the newest snapshots of some stages include, in bytes."""
    return max((kept.journal for stage in stages if (kept := newest_snapshot(stage)) is not None), default=0)


def stage_trials(folder: Path) -> list[Trial]:
    """Return the trials of a snapshot as Tune's objects. The files are pickles: see `Snapshot.require_trust`.

    Raises:
        SearchError: another version wrote the files, or they are damaged.
    """
    try:
        return trials_in(folder)
    except (AttributeError, ImportError, KeyError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise SearchError(
            f"{folder}: was written by another version of this project, or is damaged ({error})"
        ) from None
