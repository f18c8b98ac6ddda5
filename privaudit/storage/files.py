"""Files and folders that results are written to: whole or absent, and none of an earlier run among them."""

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

_ours: ContextVar[frozenset[Path]] = ContextVar("ours", default=frozenset())
"""Folders that the caller has for itself already."""


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Have a folder to oneself while writing to it: of two runs at once, one would pass for the other.

    The folder itself is locked, so that no file is left behind and the system lets go of it when a process dies. On
    Windows, and on file systems without locks, nothing is locked.

    Raises:
        ConfigError: Another process, or another thread, writes to it.
    """
    place = folder.resolve()
    handle = None if place in _ours.get() else _open(place)
    if handle is None:
        yield
        return
    try:
        _lock(handle, folder)
        token = _ours.set(_ours.get() | {place})
        try:
            yield
        finally:
            _ours.reset(token)
    finally:
        os.close(handle)


def _open(folder: Path) -> int | None:
    """A handle of a folder; None where there can be none, of which `make_folder` says why."""
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
    """Make a folder to write results to, before anything expensive is done.

    Results of an earlier run in it are removed: a run that fails must not leave them behind as its own.

    Raises:
        ConfigError: It cannot be made, or an input is one of the results.
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
    """Write a file under a temporary name and rename it, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8 under a temporary name and rename it."""
    write_bytes(path, text.encode("utf-8"))
