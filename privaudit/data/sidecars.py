"""Caption files next to images: which one belongs to an image, and which captions were used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from privaudit.data.caption_rules import CAPTION_COLUMNS, CAPTION_SUFFIXES, captions_of_file, first
from privaudit.data.layouts.layout import CaptionChoices
from privaudit.data.listed import LeftOutKind
from privaudit.data.not_images import kind_of
from privaudit.data.trees import TreeFile
from privaudit.errors import DataError

SIDECARS = (*CAPTION_SUFFIXES, ".json")
"""Suffixes of caption files, the preferred one first."""
REPEATS = re.compile(r"\d+_(?P<words>.+)")
"""Name of a folder of kohya: how often its images are repeated, and the words that describe them."""
FOLDERS = "folder names"
"""Where captions come from that are words of a folder, in the words of `CaptionUse`."""


class Sidecars:
    """The files of a tree that are neither images nor metadata.

    Attributes:
        used: Where the captions that are used come from, in the words of `CaptionUse`.
        unused: The same of captions that are not used.
    """

    def __init__(self, files: Iterable[TreeFile], images: Iterable[TreeFile], choices: CaptionChoices) -> None:
        """Sort files by the image that they belong to.

        Args:
            files: The files.
            images: Images of the tree.
            choices: Which captions are used.
        """
        self.used: set[str] = set()
        self.unused: set[str] = set()
        self._stems = {image.stem for image in images}
        self._chosen = "" if choices.column is None else f".{choices.column.lstrip('.').lower()}"
        self._keys = CAPTION_COLUMNS if not choices.column or choices.column.startswith(".") else (choices.column,)
        self._files: dict[str, dict[str, TreeFile]] = {}
        for file in files:
            self._files.setdefault(file.stem, {})[file.suffix] = file

    def captions(self, image: TreeFile, row: Mapping[str, Any], column: str) -> dict[str, Any]:
        """Return the captions of an image: of the metadata, of a file next to it, or of its folder.

        Args:
            image: The image.
            row: Its row of the metadata; empty without one.
            column: Column of the captions in the metadata; empty without one.

        Returns:
            Fields of a `ListedImage`.

        Raises:
            DataError: A caption file cannot be read.
        """
        if self._chosen and row.get("captions"):
            self.used.add(f"column {column}")
            return {}
        beside = self._beside(image)
        if row.get("captions"):
            self.used.add(f"column {column}")
            self.unused |= {f"{suffix} files" for suffix, captions in beside if captions[0] != row["caption"]}
            return {}
        if beside:
            (suffix, captions), *others = beside
            self.used.add(f"{suffix} files")
            self.unused |= {f"{other} files" for other, differing in others if differing[0] != captions[0]}
            return first(captions)
        words = folder_words(image.name)
        if words and not self._chosen:
            self.used.add(FOLDERS)
            return first((words,))
        return first(())

    def others(self) -> Iterator[tuple[LeftOutKind, str]]:
        """List the files that belong to no image, or hold no captions."""
        for stem, files in self._files.items():
            for suffix, file in files.items():
                if not (stem in self._stems and suffix in (*SIDECARS, self._chosen)):
                    yield kind_of(suffix), file.name

    @property
    def _suffixes(self) -> Sequence[str]:
        """Suffixes of the files that may hold the caption, the preferred one first: only the chosen one if there is."""
        if not self._chosen:
            return SIDECARS
        return (self._chosen,) if self._keys == CAPTION_COLUMNS else (self._chosen, ".json")

    def _beside(self, image: TreeFile) -> list[tuple[str, tuple[str, ...]]]:
        """Captions of the files next to an image, by suffix, those that are used first."""
        files = self._files.get(image.stem, {})
        read = ((suffix, self._read(files[suffix])) for suffix in self._suffixes if suffix in files)
        return [(suffix, captions) for suffix, captions in read if captions]

    def _read(self, file: TreeFile) -> tuple[str, ...]:
        try:
            with file.open() as stream:
                data = stream.read()
        except OSError as error:
            raise DataError(
                f"cannot read the caption file {file.path}: {error.strerror or error}", private=[str(file.path)]
            ) from error
        return captions_of_file(data, str(file.path), file.suffix, self._keys)


def folder_words(name: str) -> str:
    """Words of the folder of an image, if it is named as kohya names folders; empty otherwise."""
    match = REPEATS.fullmatch(PurePosixPath(name).parent.name)
    return match["words"].strip() if match else ""
