from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privaudit.data import Sample
from privaudit.errors import DataError
from privaudit.lab.split import split_samples

SOURCES = st.dictionaries(st.sampled_from(["city", "night", "retina", "cat"]), st.integers(1, 40), min_size=1)


def samples_of(sizes: dict[str, int]) -> list[Sample]:
    return [Sample(f"{name}-{n}", Path(name) / f"{n}.png") for name, count in sizes.items() for n in range(count)]


@settings(max_examples=60, deadline=None)
@given(sizes=SOURCES, data=st.data(), seed=st.integers(0, 5))
def test_sets_are_disjoint_complete_and_of_the_same_mix(sizes: dict, data: st.DataObject, seed: int) -> None:
    samples = samples_of(sizes)
    members = data.draw(st.integers(0, len(samples) - 1))
    heldout = data.draw(st.integers(0, len(samples) - 1 - members))
    split = split_samples(data.draw(st.permutations(samples)), members, heldout, seed)
    parts = (split.members, split.heldout, split.auxiliary)
    assert [len(part) for part in parts] == [members, heldout, len(samples) - members - heldout]
    assert sorted(sample.id for part in parts for sample in part) == sorted(sample.id for sample in samples)
    for part in parts:
        found = Counter(sample.path.parent.name for sample in part)
        for name, count in sizes.items():
            # ends of an interval of ranks: each is off by less than one image of the source
            assert abs(found[name] - len(part) * count / len(samples)) < len(sizes) + 1
    assert split == split_samples(samples, members, heldout, seed)


def test_shares_are_exact_where_they_can_be() -> None:
    split = split_samples(samples_of({"city": 60, "night": 30, "cat": 10}), 50, 30, 0)
    shares = [Counter(s.path.parent.name for s in part) for part in (split.members, split.heldout, split.auxiliary)]
    assert shares == [
        {"city": 30, "night": 15, "cat": 5},
        {"city": 18, "night": 9, "cat": 3},
        {"city": 12, "night": 6, "cat": 2},
    ]


def test_the_seed_decides_and_the_place_of_the_folder_does_not() -> None:
    samples = samples_of({"city": 40, "night": 20})
    moved = [Sample(sample.id, "/elsewhere" / sample.path) for sample in samples]
    ids = [
        {sample.id for sample in split_samples(given, 20, 20, seed).members}
        for given, seed in ((samples, 0), (moved, 0), (samples, 1))
    ]
    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


@pytest.mark.parametrize(("members", "heldout"), [(5, 5), (10, 0), (8, 8)])
def test_too_few_images(members: int, heldout: int) -> None:
    with pytest.raises(DataError, match=f"expected more than {members} members .* {heldout} held-out .* got 10; add"):
        split_samples(samples_of({"city": 10}), members, heldout, 0)
