"""The sets that an audit compares: without a picture in common."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from privaudit.data.samples import Sample, SampleSet
from privaudit.errors import DataError

Role = Literal["members", "canaries", "suspects"]
"""What the first of the two compared sets is: known members; images that were drawn by lot to be trained on; images
of unknown membership."""


@dataclass(frozen=True)
class AuditData:
    """Two sets to compare, without a picture in common, and perhaps a third of unknown membership.

    Attributes:
        members: Images said to be in the training set; images that may be, if that is what is asked (see `role`).
        nonmembers: Images said not to be.
        shared: Pictures that were in both sets and were removed from both.
        suspects: Images of unknown membership beside known members; empty otherwise.
        role: What ``members`` are.
        known: Suspects beside known members that were left out, since they are in a known set.
    """

    members: SampleSet
    nonmembers: SampleSet
    shared: tuple[Sample, ...] = field(default=())
    suspects: SampleSet = field(default=SampleSet(()))
    role: Role = "members"
    known: int = 0

    @property
    def compared(self) -> tuple[Sample, ...]:
        """Members first, then non-members."""
        return self.members.samples + self.nonmembers.samples

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Members first, then non-members, then suspects beside them."""
        return self.compared + self.suspects.samples

    @property
    def sets(self) -> tuple[SampleSet, ...]:
        """Every set that was read."""
        return (self.members, self.nonmembers, self.suspects)

    @property
    def split_hash(self) -> str:
        """Hash of which ids are members and which are not, whatever their order."""
        digest = hashlib.sha256()
        first = "suspect" if self.role == "suspects" else "member"
        for name, part in ((first, self.members), ("nonmember", self.nonmembers), ("suspect", self.suspects)):
            for key in sorted(sample.id for sample in part.samples):
                digest.update(f"{name} {key}\n".encode())
        return digest.hexdigest()[:32]


def separate(
    members: SampleSet, nonmembers: SampleSet, suspects: SampleSet | None = None, role: Role = "members"
) -> AuditData:
    """Remove every picture that stands in both sets, from both; from the suspects whatever is known.

    A picture said to be both is evidence for neither. Of canaries, which were drawn one by one, every copy of a
    picture goes: the model would have seen it if either had been drawn.

    Args:
        members: The first set.
        nonmembers: Images said not to be in the training set.
        suspects: Images of unknown membership beside known members.
        role: What the first set is.

    Returns:
        Sets without a picture in common, each sorted by id.

    Raises:
        DataError: A set has nothing left.
    """
    shared_ids = {s.id for s in members.samples} & {s.id for s in nonmembers.samples}
    shared = tuple(s for s in members.samples if s.id in shared_ids)
    if role == "canaries":
        shared_ids |= members.copied | nonmembers.copied
    known = {s.id for s in (*members.samples, *nonmembers.samples)}
    return AuditData(
        _without(members, shared_ids, role, "the other set"),
        _without(nonmembers, shared_ids, "nonmembers", "the other set"),
        shared,
        SampleSet(()) if suspects is None else _without(suspects, known, "suspects", "the known ones"),
        role,
        0 if suspects is None else len({s.id for s in suspects.samples} & known),
    )


def _without(part: SampleSet, ids: Collection[str], name: str, where: str) -> SampleSet:
    # by id, so that neither file names nor the order of a manifest decide anything that follows
    kept = tuple(sorted((s for s in part.samples if s.id not in ids), key=lambda s: s.id))
    if not kept:
        raise DataError(
            f"expected {name} that are not in {where}, but all {len(part)} of them are; "
            "pass sets without common pictures"
        )
    return SampleSet(kept, part.skipped, part.duplicates, part.copied)
