"""Design that compares known members with non-members; the attacks alone decide the finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from privaudit.auditing.designs.design import Design
from privaudit.results.data_report import DesignCode


@dataclass(frozen=True)
class MembersDesign(Design):
    """Compares images known to be in the training set with images known not to be."""

    code: ClassVar[DesignCode] = "members"
    options: ClassVar[tuple[str, ...]] = ("members", "nonmembers")
    positives: ClassVar[str] = "members"
