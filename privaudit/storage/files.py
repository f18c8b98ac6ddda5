"""Files and folders for results: written atomically, and free of the results of earlier runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from privaudit.errors import ConfigError

if sys.platform != "win32":
    import fcntl

PREVIOUS = "previous"
"""Folder within a run folder for the results of an earlier run, so that a run that fails does not destroy them."""
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
    refuse_inputs(path, results, inputs)
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name in results:
            (path / name).resolve().unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(_not_writable(path, error)) from error


@contextmanager
def replacing(path: Path, results: Sequence[str], inputs: Sequence[Path] = ()) -> Generator[None]:
    """Context in which new results replace those of an earlier run, which are kept in `PREVIOUS` if it fails.

    Args:
        path: Folder for results, which is made if it does not exist.
        results: Names of the result files.
        inputs: Files that must stay where they are.

    Raises:
        ConfigError: The folder cannot be written, or an input is one of the results.
    """
    set_aside(path, results, inputs)
    try:
        yield
    except Exception as error:
        if any((path / PREVIOUS / name).is_file() for name in results):
            error.add_note(f"the results of the earlier run are kept in {path / PREVIOUS}")
        raise
    discard_previous(path, results)


def set_aside(path: Path, results: Sequence[str], inputs: Sequence[Path] = ()) -> None:
    """Make a folder for results, and move those of an earlier run to the folder `PREVIOUS` in it.

    They replace what is in `PREVIOUS` from a run before that. Without results of an earlier run, nothing is moved.

    Args:
        path: Folder for results.
        results: Names of the result files, in the order in which they are moved.
        inputs: Files that must stay where they are.

    Raises:
        ConfigError: The folder cannot be written, or an input is one of the results.
    """
    refuse_inputs(path, [*results, *(f"{PREVIOUS}/{name}" for name in results)], inputs)
    try:
        path.mkdir(parents=True, exist_ok=True)
        moved = [name for name in results if (path / name).is_file()]
        for name in moved:
            (path / PREVIOUS / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(path / name, path / PREVIOUS / name)
        if moved:
            discard_previous(path, [name for name in results if name not in moved])
    except OSError as error:
        raise ConfigError(_not_writable(path, error)) from error


def discard_previous(path: Path, results: Sequence[str]) -> None:
    """Delete results from the folder `PREVIOUS`, and the folders that become empty."""
    for name in results:
        (path / PREVIOUS / name).unlink(missing_ok=True)
    folders = {(path / PREVIOUS / name).parent for name in results} | {path / PREVIOUS}
    for folder in sorted(folders, reverse=True):  # inner folders first
        with suppress(OSError):  # missing, or not empty: a user may keep other files there
            folder.rmdir()


def refuse_inputs(path: Path, results: Sequence[str], inputs: Sequence[Path]) -> None:
    """Refuse inputs that a run would overwrite or move.

    Raises:
        ConfigError: An input is one of the results.
    """
    places = {(path / name).resolve() for name in results}
    if clash := [str(source) for source in inputs if source.resolve() in places]:
        raise ConfigError([
            f"expected inputs that the run does not overwrite, got {', '.join(clash)}; pass another --out"
        ])


def _not_writable(path: Path, error: OSError) -> list[str]:
    return [f"expected a folder that can be written, got {path}: {error}; pass another --out"]


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: under a temporary name, which is then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 atomically."""
    write_bytes(path, text.encode("utf-8"))
