"""The sets that an audit compares: without a picture in common."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from privaudit.data.samples import Sample, SampleSet
from privaudit.errors import DataError


@dataclass(frozen=True)
class AuditData:
    """Members and non-members without a picture in common.

    Attributes:
        members: Images said to be in the training set.
        nonmembers: Images said not to be.
        shared: Pictures that were in both sets and were removed from both.
    """

    members: SampleSet
    nonmembers: SampleSet
    shared: tuple[Sample, ...] = field(default=())

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Members first, then non-members."""
        return self.members.samples + self.nonmembers.samples

    @property
    def split_hash(self) -> str:
        """Hash of which ids are members and which are not, whatever their order."""
        digest = hashlib.sha256()
        for name, part in (("member", self.members), ("nonmember", self.nonmembers)):
            for key in sorted(sample.id for sample in part.samples):
                digest.update(f"{name} {key}\n".encode())
        return digest.hexdigest()[:32]


def separate(members: SampleSet, nonmembers: SampleSet) -> AuditData:
    """Remove every picture that stands in both sets, from both.

    A picture said to be both is evidence for neither.

    Args:
        members: Images said to be in the training set.
        nonmembers: Images said not to be.

    Returns:
        Two sets without a picture in common, each sorted by id.

    Raises:
        DataError: A set has nothing left.
    """
    shared_ids = {s.id for s in members.samples} & {s.id for s in nonmembers.samples}
    shared = tuple(s for s in members.samples if s.id in shared_ids)
    parts = []
    for name, part in (("members", members), ("nonmembers", nonmembers)):
        # by id, so that neither file names nor the order of a manifest decide anything that follows
        kept = tuple(sorted((s for s in part.samples if s.id not in shared_ids), key=lambda s: s.id))
        if not kept:
            raise DataError(
                f"expected {name} that are not in the other set, but all {len(part)} of them are; "
                "pass two sets without common pictures"
            )
        parts.append(SampleSet(kept, part.skipped, part.duplicates))
    return AuditData(parts[0], parts[1], shared)
