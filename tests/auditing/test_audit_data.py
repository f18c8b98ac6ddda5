from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models import write_images

from privaudit.auditing.audit_data import AuditData, separate
from privaudit.auditing.designs.members_and_suspects import MembersAndSuspectsDesign
from privaudit.auditing.designs.suspects import SuspectsDesign
from privaudit.data import Sample, SampleSet, read_set
from privaudit.errors import DataError


def samples_of(*ids: str) -> SampleSet:
    return SampleSet(tuple(Sample(key, Path(f"{key}.png")) for key in ids), duplicates=len(ids))


def test_separate_removes_shared_pictures_from_both_sets() -> None:
    members, nonmembers = samples_of("a", "b", "c"), samples_of("c", "d", "b")
    data = separate(members, nonmembers)
    assert [s.id for s in data.positives.samples] == ["a"]
    assert [s.id for s in data.nonmembers.samples] == ["d"]
    assert [s.id for s in data.shared] == ["b", "c"]
    assert (data.positives.duplicates, data.nonmembers.duplicates) == (3, 3)
    assert [s.id for s in data.samples] == ["a", "d"]


def test_separate_counts_the_suspects_that_are_known() -> None:
    data = separate(samples_of("a", "b"), samples_of("c"), samples_of("b", "c", "d"))
    assert [s.id for s in data.suspects.samples] == ["d"]
    assert data.known_suspects == 2


def test_separate_keeps_what_was_skipped(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", 3, seed=0)
    (folder / "bad.png").write_bytes(b"")
    data = separate(read_set(folder, (6, 8)), samples_of("x"))
    assert [file.path.name for file in data.positives.skipped] == ["bad.png"]


@settings(max_examples=50, deadline=None)
@given(left=st.sets(st.integers(0, 8), min_size=1), right=st.sets(st.integers(0, 8), min_size=1))
def test_separate_gives_disjoint_sets_or_says_which_is_empty(left: set[int], right: set[int]) -> None:
    members, nonmembers = samples_of(*map(str, left)), samples_of(*map(str, right))
    if left <= right or right <= left:
        name = "members" if left <= right else "nonmembers"
        with pytest.raises(DataError, match=f"expected {name} that are not in the other set, but all .* of them are"):
            separate(members, nonmembers)
    else:
        data = separate(members, nonmembers)
        assert {s.id for s in data.positives.samples} == set(map(str, left - right))
        assert {s.id for s in data.nonmembers.samples} == set(map(str, right - left))


def test_split_hash_ignores_the_order_and_sees_the_sides() -> None:
    base = AuditData(samples_of("a", "b"), samples_of("c", "d")).split_hash
    assert AuditData(samples_of("b", "a"), samples_of("d", "c")).split_hash == base
    others = [
        AuditData(samples_of("c", "d"), samples_of("a", "b")),
        AuditData(samples_of("a"), samples_of("c", "d")),
        AuditData(samples_of("a", "b", "c"), samples_of("d")),
        AuditData(samples_of("a", "b"), samples_of("c", "e")),
    ]
    assert len({base, *(data.split_hash for data in others)}) == 5


def test_every_image_has_the_label_of_its_set() -> None:
    beside = separate(samples_of("a", "b"), samples_of("c"), samples_of("b", "d"), design=MembersAndSuspectsDesign())
    assert beside.labels == ("member", "member", "nonmember", "suspect")
    assert beside.is_positive.tolist() == [True, True, False]
    alone = separate(samples_of("a"), samples_of("c", "d"), design=SuspectsDesign())
    assert alone.labels == ("suspect", "nonmember", "nonmember")
    assert alone.is_positive.tolist() == [True, False, False]
    assert alone.split_hash != separate(samples_of("a"), samples_of("c", "d")).split_hash
