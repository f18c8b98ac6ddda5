"""An image set as it is listed, before any image is opened: its images, its captions, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

LeftOutKind = Literal[
    "other format",
    "mask",
    "not in metadata",
    "cached latents",
    "regularisation",
    "container",
    "video",
    "empty row",
    "unsafe name",
]
"""Why a file or row is no image of the set: a file of another format, a mask or condition of another image, an image
that the metadata of its folder does not name, latents that a trainer cached, regularisation images, an archive or table
next to images, a video, a row without an image, or a name that leads out of its archive."""


class Content(Protocol):
    """The bytes of an image that is not a file of its own, such as a member of an archive or a cell of a table."""

    @property
    def size(self) -> int:
        """Number of bytes."""

    def open(self) -> BinaryIO:
        """Open the bytes.

        Returns:
            The bytes, seekable.

        Raises:
            OSError: They cannot be read.
        """


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One image as its folder or manifest names it, before it is opened.

    Attributes:
        path: Path of the image; within a container, that of the container followed by the name of the image.
        caption: Caption (see `privaudit.data.caption_rules`); None without one. The empty text is a caption.
        group: Group from the manifest.
        label: Column ``id`` of the manifest.
        class_label: Class of a class-conditional model, from the manifest.
        class_name: Name of the class, from the manifest or from the folder of the image.
        content: Where its bytes are; None for a file at ``path``.
        captions: Number of captions that the set has for the image, of which the first is used.
        crop: Top and left edge of the crop in pixels of the resized image, from the manifest.
    """

    path: Path
    caption: str | None = None
    group: str | None = None
    label: str | None = None
    class_label: int | None = None
    class_name: str | None = None
    content: Content | None = None
    captions: int = 0
    crop: tuple[int, int] | None = None

    def open(self) -> BinaryIO:
        """Open the image.

        Returns:
            Its bytes, seekable.

        Raises:
            OSError: They cannot be read.
        """
        return self.path.open("rb") if self.content is None else self.content.open()


@dataclass(frozen=True)
class LeftOut:
    """Files or rows of one kind that are no images of the set.

    Attributes:
        kind: Why.
        suffix: Suffix of the files, lower case; empty where it does not matter.
        count: Number of files or rows.
        example: Path or row of the first one.
    """

    kind: LeftOutKind
    suffix: str
    count: int
    example: str


@dataclass(frozen=True)
class CaptionUse:
    """Where the captions of a set come from.

    Attributes:
        source: ``column text``, ``.txt files``, ``folder names`` or ``--caption``; empty without captions.
        unused: Captions that the set has and that were not used, in the same words; empty if there are none.
    """

    source: str = ""
    unused: str = ""


@dataclass(frozen=True)
class Listing:
    """An image set as it is listed.

    Attributes:
        layout: Name of the layout (see `privaudit.data.layouts`).
        entries: Images, not yet opened.
        left_out: What is no image of the set.
        captions: Where its captions come from.
    """

    layout: str
    entries: tuple[ListedImage, ...]
    left_out: tuple[LeftOut, ...] = ()
    captions: CaptionUse = field(default=CaptionUse())
