"""The audited images in a report, and which design compared them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DesignCode = Literal["members", "canaries", "suspects"]
"""Known members, canaries that were drawn at random to be trained on, or suspects of unknown membership, each against
non-members."""


@dataclass(frozen=True)
class DesignFacts:
    """What is known about the positive class of a design.

    Attributes:
        membership_known: Whether all positives are known to be members.
        drawn_at_random: Whether chance alone decided which images are positives.
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
        reason: Why not.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class DataReport:
    """The audited images.

    Attributes:
        design: What the positives are, which are compared with the non-members: known ``members``, ``canaries`` that
            were drawn at random to be trained on, or ``suspects`` of unknown membership.
        positives: Distinct images of the positive class.
        nonmembers: Distinct non-members.
        suspects: Distinct images of unknown membership, whether they are the positives or next to known members.
        duplicates_removed: Copies dropped: within a set, and both copies of an image in both sets.
        shared: Images that were in both sets.
        near_duplicates: Pairs of images that look the same; they are kept, in one fold.
        groups: Groups of the manifests.
        skipped: Unreadable files.
        split_hash: Hash of which ids are members.
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

    @property
    def membership_known(self) -> bool:
        """Whether all positives are known to be members."""
        return DESIGN_FACTS[self.design].membership_known

    @property
    def drawn_at_random(self) -> bool:
        """Whether chance alone decided which images are positives."""
        return DESIGN_FACTS[self.design].drawn_at_random

    @property
    def additional_suspects(self) -> int:
        """Number of suspects next to known members."""
        return self.suspects if self.membership_known else 0
