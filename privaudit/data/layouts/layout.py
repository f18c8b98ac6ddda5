"""Base class of the layouts in which people have their image sets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from privaudit.data.listed import Listing
from privaudit.registry import Registry


@dataclass(frozen=True)
class CaptionChoices:
    """Which captions are used.

    Attributes:
        caption: Caption of every image, in which ``{caption}`` stands for the image's own; None for its own alone.
        column: Column, JSON key or suffix that holds the captions; None for the usual names.
    """

    caption: str | None = None
    column: str | None = None


class Layout(ABC):
    """A layout of image sets.

    Attributes:
        name: Name in reports, such as ``folder``.
        summary: What such a set looks like, in one line.
        rank: Layouts are asked in ascending order whether a source is theirs; the last one takes any folder.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    rank: ClassVar[int]

    @classmethod
    @abstractmethod
    def recognises(cls, source: Path) -> bool:
        """Whether a source has this layout. No image is opened."""

    @classmethod
    @abstractmethod
    def list(cls, source: Path, choices: CaptionChoices) -> Listing:
        """List the images of a source.

        Args:
            source: A folder, a file, or a name such as ``hub:owner/name``.
            choices: Which captions are used.

        Returns:
            The images, in the order of the source, with captions as the choices say; none if it is empty.

        Raises:
            DataError: The source is malformed.
        """


LAYOUTS: Registry[type[Layout]] = Registry(
    "a layout of image sets", folder="privaudit.data.layouts", key=lambda layout: layout.rank
)
