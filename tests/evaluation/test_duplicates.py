import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privaudit.errors import DataError
from privaudit.evaluation import assign_folds, duplicates
from privaudit.evaluation.duplicates import clusters, near_duplicates, units


def slow_pairs(hashes: list[int], distance: int) -> list[list[int]]:
    n = len(hashes)
    return [[i, j] for i in range(n) for j in range(i + 1, n) if (hashes[i] ^ hashes[j]).bit_count() <= distance]


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 15), max_size=12), st.integers(0, 64), st.integers(1, 40))
def test_pairs_are_those_of_a_loop(hashes: list[int], distance: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_MAX_HASH_PAIRS", chunk)
        found = near_duplicates(np.array(hashes, dtype=np.uint64), distance=distance)
    assert found.tolist() == slow_pairs(hashes, distance)


class TestThumbnails:
    base = np.random.default_rng(0).integers(40, 200, (8, 8, 3)).astype(float)

    def alike(self, other: np.ndarray) -> bool:
        pair = np.stack([self.base, other]).reshape(2, -1)
        return len(near_duplicates([7, 7], pair)) == 1 == len(near_duplicates([7, 7], pair[::-1]))

    def test_brightness_and_contrast_may_differ_a_little(self) -> None:
        assert self.alike(self.base)
        assert self.alike(self.base + 12)
        assert self.alike(100 + 1.2 * (self.base - 100))
        assert not self.alike(self.base + 30)
        assert not self.alike(self.base + [0, 0, 30])
        assert not self.alike(self.base.mean((0, 1)) + 1.5 * (self.base - self.base.mean((0, 1))))

    def test_another_picture_is_none(self) -> None:
        assert not self.alike(self.base[::-1])
        assert not self.alike(np.full_like(self.base, self.base.mean((0, 1))))

    def test_plain_pictures_go_by_colour(self) -> None:
        plain = np.repeat([[100.0], [110.0], [130.0]], 192, axis=1)
        assert near_duplicates([1, 1, 1], plain).tolist() == [[0, 1]]

    def test_many_pairs_in_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(duplicates, "_MAX_THUMBNAIL_PAIRS", 3)
        monkeypatch.setattr(duplicates, "_MAX_HASH_PAIRS", 20)
        found = near_duplicates(np.zeros(9, dtype=np.uint64), np.tile(self.base.reshape(1, -1), (9, 1)))
        assert found.tolist() == slow_pairs([0] * 9, 0)


def test_twenty_thousand_images() -> None:
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2**63, 20_000, dtype=np.uint64)
    hashes[19_990:] = hashes[:10]
    assert near_duplicates(hashes, distance=2).tolist() == [[i, 19_990 + i] for i in range(10)]


def test_clusters_are_chains() -> None:
    assert clusters([[1, 3], [3, 4], [2, 5]], 6).tolist() == [0, 1, 2, 1, 1, 2]
    assert clusters(np.empty((0, 2), dtype=np.int64), 3).tolist() == [0, 1, 2]
    assert clusters([], 0).tolist() == []


class TestUnits:
    def test_images_of_their_own_have_none(self) -> None:
        assert units(["a", "b"], [None, None], [0, 1]) == (None, None)

    def test_groups_stay_as_they_are(self) -> None:
        assert units(["a", "b", "c"], ["x", "x", None], [0, 1, 2]) == ("x", "x", None)

    def test_look_alikes_are_named_by_the_smallest_id(self) -> None:
        assert units(["c", "a", "b"], [None] * 3, [0, 1, 0]) == ("pictures that look like b", None) + (
            "pictures that look like b",
        )

    def test_groups_and_clusters_merge_transitively(self) -> None:
        # d is of group y, looks like c; c is of x; e looks like f of y; g is on its own
        found = units(list("bcdefg"), ["x", "x", "y", None, "y", None], [0, 1, 1, 2, 2, 3])
        assert found == ("x", "x", "x", "x", "x", None)

    @given(st.permutations(range(8)))
    def test_order_of_the_images_does_not_matter(self, order: list[int]) -> None:
        ids, groups = list("hgfedcba"), ["x", None, None, "y", None, "z", None, None]
        pairs = np.array([[0, 1], [3, 2], [4, 6]])
        plain = dict(zip(ids, units(ids, groups, clusters(pairs, 8)), strict=True))
        place = np.argsort(order)
        moved = [ids[i] for i in order]
        again = units(moved, [groups[i] for i in order], clusters(place[pairs], 8))
        assert dict(zip(moved, again, strict=True)) == plain

    def test_a_unit_stays_in_one_fold_and_folds_without_duplicates_are_as_before(self) -> None:
        ids = [f"{i:03d}" for i in range(60)]
        member = np.arange(60) < 30
        own = units(ids, [None] * 60, clusters([], 60))
        np.testing.assert_array_equal(assign_folds(ids, member, own), assign_folds(ids, member))
        pairs = [[0, 40], [40, 7], [12, 13]]
        folds = assign_folds(ids, member, units(ids, [None] * 60, clusters(pairs, 60)))
        assert folds[0] == folds[40] == folds[7]
        assert folds[12] == folds[13]


def test_bad_input() -> None:
    with pytest.raises(DataError, match=r"got \(2,\) hashes and \(3, 192\) thumbnails"):
        near_duplicates([1, 2], np.zeros((3, 192)))
    with pytest.raises(DataError, match=r"got \(2, 1\) hashes and no thumbnails"):
        near_duplicates([[1], [2]])
    with pytest.raises(DataError, match=r"\(2, 64\) thumbnails"):
        near_duplicates([1, 2], np.zeros((2, 64)))
    with pytest.raises(DataError, match="got 2 ids, 1 groups and 2 clusters"):
        units(["a", "b"], [None], [0, 1])
