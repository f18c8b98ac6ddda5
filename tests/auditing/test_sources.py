from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from models import save_small_pipeline, write_images

from privaudit.auditing.audit_data import separate
from privaudit.auditing.designs.canaries import CanariesDesign
from privaudit.auditing.designs.members import MembersDesign
from privaudit.auditing.designs.members_and_suspects import MembersAndSuspectsDesign
from privaudit.auditing.designs.suspects import SuspectsDesign
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.sources import design_of, list_sources, read_sources
from privaudit.canaries import Canaries, draw_canaries
from privaudit.data import read_entries
from privaudit.data.listing import ListedImage
from privaudit.errors import ConfigError, DataError
from privaudit.loading import ModelSource, load_target


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sets")
    save_small_pipeline(root / "model")
    for seed, name in enumerate(("members", "others", "suspects", "candidates"), start=1):
        write_images(root / name, 12, seed=seed)
    return root


def options(root: Path, **sets: Path | None) -> AuditOptions:
    given = {"members": None, "nonmembers": None} | sets
    return AuditOptions(target=str(root / "model"), out=root / "run", device="cpu", **given)


def read(chosen: AuditOptions):
    seen = []
    target = load_target(ModelSource(chosen.target, device="cpu"))
    data = read_sources(list_sources(chosen), chosen, target, lambda name, done, total: seen.append(name))
    return data, list(dict.fromkeys(seen))


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ((), "expected nonmembers"),
        (("members",), "expected nonmembers"),
        (("nonmembers",), "expected members or suspects"),
        (("suspects",), "expected nonmembers"),
        (("canaries", "members"), "got members, too"),
        (("canaries", "nonmembers", "suspects"), "got nonmembers, suspects, too"),
    ],
)
def test_sets_that_make_no_audit_are_refused(tmp_path, names, problem):
    sets = {"members": None, "nonmembers": None} | dict.fromkeys(names, tmp_path)
    with pytest.raises(ConfigError, match=problem):
        AuditOptions(target="model", out=tmp_path, **sets)


@pytest.mark.parametrize(
    ("names", "design", "code"),
    [
        (("members", "nonmembers"), MembersDesign, "members"),
        (("members", "nonmembers", "suspects"), MembersAndSuspectsDesign, "members"),
        (("nonmembers", "suspects"), SuspectsDesign, "suspects"),
        (("canaries",), CanariesDesign, "canaries"),
    ],
)
def test_the_sets_say_which_design_compares_them(tmp_path, names, design, code):
    sets = {"members": None, "nonmembers": None} | dict.fromkeys(names, tmp_path)
    chosen = design_of(AuditOptions(target="model", out=tmp_path, **sets))
    assert (chosen, chosen.code) == (design, code)


def test_every_missing_path_is_named(root):
    with pytest.raises(DataError) as caught:
        list_sources(options(root, members=root / "nowhere", nonmembers=root / "neither"))
    assert "nowhere" in str(caught.value)
    assert "neither" in str(caught.value)


def test_members_and_nonmembers(root):
    data, seen = read(options(root, members=root / "members", nonmembers=root / "others"))
    assert (data.design.code, len(data.positives), len(data.nonmembers), len(data.suspects)) == ("members", 12, 12, 0)
    assert seen == ["members", "nonmembers"]
    assert data.samples == data.compared


def test_suspects_alone_are_what_is_compared(root):
    data, seen = read(options(root, suspects=root / "suspects", nonmembers=root / "others"))
    assert (data.design.code, len(data.positives), len(data.suspects)) == ("suspects", 12, 0)
    assert seen == ["suspects", "nonmembers"]
    as_members, _ = read(options(root, members=root / "suspects", nonmembers=root / "others"))
    assert data.split_hash != as_members.split_hash


def test_suspects_beside_members_lose_what_is_known(root, tmp_path):
    mixed = Path(shutil.copytree(root / "suspects", tmp_path / "mixed"))
    for path in [*sorted((root / "members").iterdir())[:3], *sorted((root / "others").iterdir())[:2]]:
        shutil.copy(path, mixed)
    data, seen = read(options(root, members=root / "members", nonmembers=root / "others", suspects=mixed))
    assert (data.design.code, len(data.positives), len(data.nonmembers), len(data.suspects)) == ("members", 12, 12, 12)
    assert seen == ["members", "nonmembers", "suspects"]
    assert len(data.samples) == 36
    assert len(data.compared) == 24


def test_canaries_are_split_as_they_were_drawn(root, tmp_path):
    drawn = draw_canaries(root / "candidates", tmp_path / "drawn", seed=3)
    data, seen = read(options(root, canaries=tmp_path / "drawn"))
    assert data.design.code == "canaries"
    assert len(data.positives) + len(data.nonmembers) == 12
    assert len(data.positives) == sum(candidate.included for candidate in drawn.assignment.candidates)
    assert seen == ["included canaries", "excluded canaries"]


def test_copies_of_a_canary_go_altogether(root):
    """The model would have seen one that the lot excluded if its copy was included."""
    paths = sorted((root / "candidates").iterdir())
    first = read_entries([ListedImage(path) for path in (paths[0], paths[0], paths[1])], (16, 16), "here")
    rest = read_entries([ListedImage(paths[2])], (16, 16), "here")
    assert len(separate(first, rest).positives) == 2
    design = CanariesDesign(Canaries(root, (), (), "seal", "today", seeded=False))
    assert [s.path for s in separate(first, rest, design=design).positives.samples] == [paths[1]]
