"""The audited images in a report, and the design of the audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DesignCode = Literal["members", "canaries", "suspects"]
"""Kind of the positives that are compared with non-members: known members, canaries that were drawn at random to be
trained on, or suspects of unknown membership."""


@dataclass(frozen=True)
class DesignFacts:
    """Properties of the positives of a design.

    Attributes:
        membership_known: Whether all positives are known to be members.
        drawn_at_random: Whether the positives were drawn at random from all images.
    """

    membership_known: bool
    drawn_at_random: bool


DESIGN_FACTS: Mapping[DesignCode, DesignFacts] = {
    "members": DesignFacts(membership_known=True, drawn_at_random=False),
    "canaries": DesignFacts(membership_known=True, drawn_at_random=True),
    "suspects": DesignFacts(membership_known=False, drawn_at_random=False),
}


@dataclass(frozen=True)
class SkippedReport:
    """A file that could not be read.

    Attributes:
        path: Path of the file.
        reason: Why it could not be read.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class LeftOutReport:
    """Files or rows of one kind that are no images of a set.

    Attributes:
        kind: Why they were left out (see `privaudit.data.listed.LeftOutKind`).
        suffix: Suffix of the files; empty where it does not matter.
        files: Number of files or rows.
    """

    kind: str
    suffix: str
    files: int


@dataclass(frozen=True)
class SetReport:
    """How one image set was read.

    Attributes:
        name: Option that names the set: ``members``, ``nonmembers``, ``suspects``; both sides of a draw are ``members``
            and ``nonmembers``.
        layout: Layout that was recognised, such as ``folder`` or ``manifest .csv``.
        images: Number of distinct images that were read, before those of other sets were removed.
        captioned: Number of images with a caption that is not empty.
        uncaptioned: Number of images without a caption, not even an empty one.
        several_captions: Number of images with several captions, of which the first was used.
        cut_captions: Number of captions that no text encoder reads to the end; 0 for a model that reads none.
        caption_source: Where the captions come from, such as ``column text`` or ``.txt files``; empty without any.
        unused_captions: Captions that the set has and that were not used, in the same words; empty without any.
        left_out: Files or rows that are no images of the set.
    """

    name: str
    layout: str
    images: int
    captioned: int
    uncaptioned: int
    several_captions: int
    cut_captions: int
    caption_source: str
    unused_captions: str
    left_out: tuple[LeftOutReport, ...]


@dataclass(frozen=True)
class DataReport:
    """The audited images.

    Attributes:
        design: Kind of the positives, which are compared with the non-members: known ``members``, ``canaries`` that
            were drawn at random to be trained on, or ``suspects`` of unknown membership.
        positives: Number of distinct images of the positive class.
        nonmembers: Number of distinct non-members.
        suspects: Number of distinct images of unknown membership, either as the positives or next to known members.
        duplicates_removed: Number of copies dropped: within a set, and both copies of an image that is in both sets.
        shared: Number of images that were in both sets.
        near_duplicates: Number of pairs of near-duplicates, which are kept and assigned to the same fold.
        groups: Number of groups in the manifests.
        skipped: Files that could not be read.
        split_hash: Hash of the ids and their membership.
        sets: How each set was read; empty in a report of an earlier version.
    """

    design: DesignCode
    positives: int
    nonmembers: int
    suspects: int
    duplicates_removed: int
    shared: int
    near_duplicates: int
    groups: int
    skipped: tuple[SkippedReport, ...]
    split_hash: str
    sets: tuple[SetReport, ...]

    @property
    def membership_known(self) -> bool:
        """Whether all positives are known to be members."""
        return DESIGN_FACTS[self.design].membership_known

    @property
    def drawn_at_random(self) -> bool:
        """Whether the positives were drawn at random from all images."""
        return DESIGN_FACTS[self.design].drawn_at_random

    @property
    def additional_suspects(self) -> int:
        """Number of suspects next to known members."""
        return self.suspects if self.membership_known else 0
