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
from privaudit.data import read_listing
from privaudit.data.listed import ListedImage, Listing
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


def test_a_similar_name_in_the_same_place_is_suggested(root):
    with pytest.raises(DataError) as caught:
        list_sources(options(root, members=root / "membrs", nonmembers=root / "zzz"))
    assert caught.value.problems == (
        f"expected images for members at {root / 'membrs'}, but it does not exist; did you mean {root / 'members'}?",
        f"expected images for nonmembers at {root / 'zzz'}, but it does not exist; check the path",
    )
    assert caught.value.private == (f"did you mean {root / 'members'}?",), "no option names this folder"


def test_every_set_without_images_is_named(root, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("file\nx.png\n")
    with pytest.raises(DataError) as caught:
        list_sources(options(root, members=tmp_path / "empty", nonmembers=tmp_path / "bad.csv"))
    assert [problem.rsplit(" ", 1)[1] for problem in caught.value.problems] == ["(members)", "(nonmembers)"]


class TestOneSetWithinAnother:
    """Found from the names of the files, before any of them is read."""

    def refused(self, root, **sets):
        with pytest.raises(DataError) as caught:
            list_sources(options(root, **sets))
        return caught.value.problems

    def test_the_same_folder(self, root, tmp_path):
        (tmp_path / "link").symlink_to(root / "members")
        for other in (root / "members", tmp_path / "link"):
            (problem,) = self.refused(root, members=root / "members", nonmembers=other)
            assert "for members and nonmembers, got the same 12 files for both" in problem

    def test_a_folder_and_one_inside_it(self, root, tmp_path):
        for name in ("a", "b"):
            shutil.copytree(root / ("members" if name == "a" else "others"), tmp_path / name)
        (problem,) = self.refused(root, members=tmp_path, nonmembers=tmp_path / "b")
        assert f"but all 12 files of nonmembers ({tmp_path / 'b'}) are also among the 24 of members" in problem
        (problem,) = self.refused(root, suspects=tmp_path / "a", nonmembers=tmp_path)
        assert f"but all 12 files of suspects ({tmp_path / 'a'}) are also among the 24 of nonmembers" in problem

    def test_suspects_may_include_known_images_and_not_the_other_way_round(self, root, tmp_path):
        shutil.copytree(root / "suspects", tmp_path / "suspects")
        (tmp_path / "members").mkdir()
        for path in (root / "members").iterdir():
            shutil.copy(path, tmp_path / "members")
        list_sources(options(root, members=tmp_path / "members", nonmembers=root / "others", suspects=tmp_path))
        (problem,) = self.refused(root, members=tmp_path, nonmembers=root / "others", suspects=tmp_path / "members")
        assert "all 12 files of suspects" in problem

    def test_some_common_images_are_no_error(self, root, tmp_path):
        paths = sorted((root / "members").iterdir())
        (tmp_path / "a.csv").write_text("\n".join(["path", *map(str, paths[:8])]))
        (tmp_path / "b.csv").write_text("\n".join(["path", *map(str, paths[4:])]))
        list_sources(options(root, members=tmp_path / "a.csv", nonmembers=tmp_path / "b.csv"))


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
    first = read_listing(
        Listing("", tuple(ListedImage(path) for path in (paths[0], paths[0], paths[1]))), (16, 16), "here"
    )
    rest = read_listing(Listing("", (ListedImage(paths[2]),)), (16, 16), "here")
    assert len(separate(first, rest).positives) == 2
    design = CanariesDesign(Canaries(root, (), (), "seal", "today", seeded=False))
    assert [s.path for s in separate(first, rest, design=design).positives.samples] == [paths[1]]
