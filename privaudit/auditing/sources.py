"""Which images an audit compares: members, suspects or canaries against non-members."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from privaudit.auditing.options import AuditOptions
from privaudit.auditing.stages import OnProgress
from privaudit.canaries import Canaries, read_canaries
from privaudit.data import AuditData, Role, SampleSet, read_entries, separate
from privaudit.data.listing import Entry
from privaudit.data.samples import list_images
from privaudit.errors import DataError
from privaudit.model.target import Target


@dataclass(frozen=True)
class Listed:
    """One set, as its folder or manifest names it.

    Attributes:
        name: In progress and messages.
        source: Where it is listed.
        entries: Its images; none has been opened.
    """

    name: str
    source: Path
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Sources:
    """The sets of an audit before they are read.

    Attributes:
        role: What the first set is.
        first: Known members, the canaries that were included, or suspects.
        nonmembers: The canaries that were not, or images that the model never saw.
        suspects: Of unknown membership, beside known members.
        canaries: The draw, of which the first two sets are the outcome.
    """

    role: Role
    first: Listed
    nonmembers: Listed
    suspects: Listed | None = None
    canaries: Canaries | None = None

    @property
    def sets(self) -> tuple[Listed, ...]:
        """Every set."""
        return (self.first, self.nonmembers) if self.suspects is None else (self.first, self.nonmembers, self.suspects)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every image."""
        return tuple(entry for listed in self.sets for entry in listed.entries)


def list_sources(options: AuditOptions) -> Sources:
    """List the images of every set, before a model of gigabytes is loaded.

    Args:
        options: Name the sets.

    Returns:
        What will be read.

    Raises:
        DataError: A path does not exist or lists no images, a manifest is malformed, or the canaries are not those
            that were sealed.
    """
    problems = [f"expected images at {path}, but it does not exist" for path in options.sources if not path.exists()]
    if problems:
        raise DataError(*problems)
    if options.canaries is not None:
        drawn = read_canaries(options.canaries)
        return Sources(
            "canaries",
            Listed("included canaries", options.canaries, drawn.included),
            Listed("excluded canaries", options.canaries, drawn.excluded),
            canaries=drawn,
        )
    sets = {
        name: Listed(name, path, tuple(list_images(path)))
        for name in ("members", "nonmembers", "suspects")
        if (path := getattr(options, name)) is not None
    }
    if "members" in sets:
        return Sources("members", sets["members"], sets["nonmembers"], sets.get("suspects"))
    return Sources("suspects", sets["suspects"], sets["nonmembers"])


def read_sources(sources: Sources, options: AuditOptions, target: Target, progress: OnProgress) -> AuditData:
    """Read every set, without pictures that are in two of them.

    Args:
        sources: From `list_sources`.
        options: Say whether an unreadable file stops the audit.
        target: Gives the size of the images.
        progress: Called with (name of the set, done, total).

    Returns:
        The images.
    """

    def read(listed: Listed) -> SampleSet:
        def on_image(done: int, total: int) -> None:
            progress(listed.name, done, total)

        size = target.info.image_size
        return read_entries(listed.entries, size, str(listed.source), strict=options.strict, on_image=on_image)

    first, nonmembers = read(sources.first), read(sources.nonmembers)
    suspects = None if sources.suspects is None else read(sources.suspects)
    return separate(first, nonmembers, suspects, sources.role)
