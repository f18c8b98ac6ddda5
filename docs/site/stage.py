"""Gathers the pages of docs and every file of the repository that a page links, so that no link leaves the site."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINKED = Path("files")
"""Folder of the site for what lies outside docs."""
LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)\s#]+)")


def pages() -> list[Path]:
    """Everything in docs but the scripts that build the site.

    Returns:
        Files, sorted.
    """
    return sorted(path for path in DOCS.rglob("*") if path.is_file() and not path.is_relative_to(DOCS / "site"))


def stage(folder: Path) -> None:
    """Copy the pages, and whatever they link, with links that hold in the copy.

    Args:
        folder: Replaced.

    Raises:
        FileNotFoundError: A page links a file that does not exist.
    """
    shutil.rmtree(folder, ignore_errors=True)
    waiting, done = pages(), set[Path]()
    while waiting:
        source = waiting.pop()
        if source in done:
            continue
        done.add(source)
        place = folder / _place(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            text, linked = _follow(source)
            place.write_text(text, encoding="utf-8")
            waiting += linked
        else:
            shutil.copy(source, place)


def _place(source: Path) -> Path:
    """Where a file of the repository lies in the site."""
    return source.relative_to(DOCS) if source.is_relative_to(DOCS) else LINKED / source.relative_to(ROOT)


def _follow(source: Path) -> tuple[str, list[Path]]:
    """The text of a page with its links turned to where the files will lie, and those files."""
    linked = []

    def turn(found: re.Match[str]) -> str:
        target = (source.parent / found[2]).resolve()
        if not target.is_file():
            raise FileNotFoundError(f"{source.relative_to(ROOT)} links {found[2]}, which is no file")
        linked.append(target)
        return found[1] + os.path.relpath(_place(target), _place(source).parent)

    return LINK.sub(turn, source.read_text(encoding="utf-8")), linked
