"""A folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from privaudit.data.layouts.layout import LAYOUTS, CaptionChoices, Layout
from privaudit.data.listed import ListedImage, Listing
from privaudit.data.suffixes import IMAGE_SUFFIXES
from privaudit.data.trees import disk_tree


@LAYOUTS.register
class Folder(Layout):
    """Images below a folder."""

    name: ClassVar[str] = "folder"
    summary: ClassVar[str] = "a folder of images, with or without sub-folders"
    rank: ClassVar[int] = 100

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether it is a folder."""
        return source.is_dir()

    @classmethod
    def list(cls, source: Path, choices: CaptionChoices) -> Listing:
        """List the files with a suffix of an image format, sorted by path."""
        files = [file for file in disk_tree(source).files if file.suffix in IMAGE_SUFFIXES]
        return Listing(cls.name, tuple(ListedImage(file.path) for file in files))
