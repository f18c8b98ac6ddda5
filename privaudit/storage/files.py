"""Files and folders for results: written atomically, and free of the results of earlier runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from privaudit.errors import ConfigError

if sys.platform != "win32":
    import fcntl

_held: ContextVar[frozenset[Path]] = ContextVar("held", default=frozenset())
"""Folders that the caller has locked already."""


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Lock a folder while results are written to it, so that two runs never mix their files.

    The folder itself is locked. No lock file remains, and the system releases the lock when a process dies. On Windows,
    and on file systems without locks, nothing is locked.

    Raises:
        ConfigError: Another process or thread writes to the folder.
    """
    place = folder.resolve()
    # A task inside a locked one may lock the same folder again; a second handle would wait for the first.
    handle = None if place in _held.get() else _open(place)
    if handle is None:
        yield
        return
    try:
        _lock(handle, folder)
        # Per context, not global: another thread that locks the folder must be refused.
        token = _held.set(_held.get() | {place})
        try:
            yield
        finally:
            _held.reset(token)
    finally:
        os.close(handle)


def _open(folder: Path) -> int | None:
    """Open a folder for locking; None where that is impossible. `make_folder` then reports the reason."""
    if sys.platform == "win32":
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder, os.O_RDONLY)
    except OSError:
        return None


def _lock(handle: int, folder: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError([
            f"expected a folder that no other run writes to, but one writes to {folder}; wait for it, or pass another "
            "--out"
        ]) from error
    except OSError:  # a file system without locks
        return


def make_folder(path: Path, results: Sequence[str] = (), inputs: Sequence[Path] = ()) -> None:
    """Make a folder for results, before any expensive work.

    Results of an earlier run are removed from it, because a run that fails must not leave them behind as its own.

    Raises:
        ConfigError: The folder cannot be made, or an input is one of the results.
    """
    places = {(path / name).resolve() for name in results}
    if clash := [str(source) for source in inputs if source.resolve() in places]:
        raise ConfigError([
            f"expected inputs that the run does not overwrite, got {', '.join(clash)}; pass another --out"
        ])
    try:
        path.mkdir(parents=True, exist_ok=True)
        for place in places:
            place.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError([f"expected a folder that can be written, got {path}: {error}"]) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: under a temporary name, which is then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 atomically."""
    write_bytes(path, text.encode("utf-8"))
