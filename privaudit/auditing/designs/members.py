"""Known members against non-members: what the attacks find is what is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from privaudit.auditing.designs.design import Design
from privaudit.results.data_report import DesignCode


@dataclass(frozen=True)
class MembersDesign(Design):
    """Images known to be in the training set, against images known not to be."""

    code: ClassVar[DesignCode] = "members"
    options: ClassVar[tuple[str, ...]] = ("members", "nonmembers")
    positives: ClassVar[str] = "members"
