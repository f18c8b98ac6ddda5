"""Files and folders that results are written to: whole or absent, and none of an earlier run among them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from privaudit.errors import ConfigError


def make_folder(path: Path, results: Sequence[str] = (), inputs: Sequence[Path] = ()) -> None:
    """Make a folder to write results to, before anything expensive is done.

    Results of an earlier run in it are removed: a run that fails must not leave them behind as its own.

    Args:
        path: Of the folder.
        results: Names of the files that will be written.
        inputs: Files that will be read.

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
