"""Class labels from the names of classes, which folders and manifests hold more often than numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from privaudit.data.listed import ListedImage, Listing


def with_class_labels(listings: Sequence[Listing]) -> tuple[tuple[Listing, ...], tuple[str, ...]]:
    """Number the classes that are named: by their name if it is a number, else in the order of the sorted names.

    This is how trainers number folders. The names of all sets are sorted together, so that a class has one number.

    Args:
        listings: The sets of an audit.

    Returns:
        The sets, and the names whose numbers are a guess, in order. None if every class has a number already, or if the
        names are the numbers that trainers would give them (0 to 9): with 1, 2 and 10, some take 0, 2 and 1.
    """
    names = {entry.class_name for listing in listings for entry in listing.entries if _needs_label(entry)}
    known = sorted(name for name in names if name is not None)
    if all(name.isascii() and name.isdigit() for name in known):
        numbers = {name: int(name) for name in known}
        known = [] if [numbers[name] for name in known] == list(range(len(known))) else known
    else:
        numbers = {name: number for number, name in enumerate(known)}
    return tuple(
        replace(part, entries=tuple(_labelled(entry, numbers) for entry in part.entries)) for part in listings
    ), tuple(known)


def _needs_label(entry: ListedImage) -> bool:
    return entry.class_label is None and entry.class_name is not None


def _labelled(entry: ListedImage, numbers: dict[str, int]) -> ListedImage:
    return replace(entry, class_label=numbers[entry.class_name]) if _needs_label(entry) and entry.class_name else entry
