"""Lists the images of a set, whatever its layout."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from privaudit.data.layouts import LAYOUTS, CaptionChoices
from privaudit.data.listed import ListedImage, Listing
from privaudit.errors import DataError

if TYPE_CHECKING:
    from privaudit.data.samples import Sample


def list_set(source: Path, choices: CaptionChoices | None = None) -> Listing:
    """List the images of a set.

    Args:
        source: A folder, a file or a name in one of the layouts (see `privaudit.data.layouts`).
        choices: Which captions are used; by default the images' own.

    Returns:
        Its images, none of which has been opened; none if it is empty.

    Raises:
        DataError: The path is missing, has no layout of an image set, or is malformed.
    """
    for layout in LAYOUTS.values():
        if layout.recognises(source):
            return layout.list(source, choices or CaptionChoices())
    if not source.exists():
        raise DataError(f"expected a folder of images or a manifest, but {source} does not exist")
    kinds = "; ".join(layout.summary for layout in LAYOUTS.values())
    raise DataError(f"expected an image set ({kinds}), got the file {source}")


def set_exists(source: Path) -> bool:
    """Whether there is something to list: a path, or a source that a layout recognises, such as a name of the hub."""
    return source.exists() or any(layout.recognises(source) for layout in LAYOUTS.values())


def list_entries(source: Path) -> list[ListedImage]:
    """List the images of a set with their captions (see `list_set`)."""
    return list(list_set(source).entries)


def require_files(images: Iterable[ListedImage | Sample], source: Path) -> None:
    """Refuse images that are not files of their own, where their paths are written down for other programs.

    Args:
        images: Images of the set.
        source: The set, for the message.

    Raises:
        DataError: An image is a member of an archive or a cell of a table.
    """
    if any(image.content is not None for image in images):
        raise DataError(f"expected images that are files of their own in {source}, got an archive or table; unpack it")
