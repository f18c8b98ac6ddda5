from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from models import write_images

from privaudit.errors import DataError
from privaudit.tasks.geometry_maps import read_sets, set_labels

SIZE = (16, 16)


class TestLabels:
    def test_folders_and_manifests(self, tmp_path):
        (tmp_path / "photos.v2").mkdir()
        assert set_labels([tmp_path / "photos.v2", tmp_path / "heldout.csv"]) == ("photos.v2", "heldout")

    def test_only_those_that_are_alike_become_longer(self):
        sources = [Path("/a/members/images"), Path("/a/heldout/images"), Path("/a/x")]
        assert set_labels(sources) == ("members/images", "heldout/images", "x")

    def test_manifests_of_one_name_keep_their_endings(self):
        assert set_labels([Path("/a/set.csv"), Path("/a/set.jsonl")]) == ("set.csv", "set.jsonl")

    def test_however_deep_the_difference(self):
        labels = set_labels([Path("/p/b/c/d"), Path("/q/b/c/d"), Path("/q/b/x/d")])
        assert labels == ("p/b/c/d", "q/b/c/d", "x/d")

    def test_this_folder_has_a_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert set_labels([Path()]) == (tmp_path.name,)


class TestReading:
    def test_a_picture_in_two_sets_counts_for_the_first(self, tmp_path):
        first, second = write_images(tmp_path / "a", 3, seed=1), write_images(tmp_path / "b", 2, seed=2)
        shutil.copy(first / "1-001.png", second / "again.png")
        sets = read_sets([first, second], SIZE, [3, 3])
        assert [(part.label, len(part.images), part.shared) for part in sets] == [("a", 3, 0), ("b", 2, 1)]
        names = [sample.path.name for sample in sets[1].images.samples]
        assert names == ["2-000.png", "2-001.png"]
        other = read_sets([second, first], SIZE, [3, 3])
        assert [(len(part.images), part.shared) for part in other] == [(3, 0), (2, 1)]

    def test_a_set_without_a_picture_of_its_own_is_named(self, tmp_path):
        first = write_images(tmp_path / "a", 3, seed=1)
        shutil.copytree(first, tmp_path / "b")
        with pytest.raises(DataError, match=r"b that are not in an earlier set, but all 3 of them are; leave it out"):
            read_sets([first, tmp_path / "b"], SIZE, [3, 3])

    def test_progress_counts_over_all_sets(self, tmp_path):
        sources = [write_images(tmp_path / name, count, seed=count) for name, count in (("a", 2), ("b", 3))]
        calls = []
        read_sets(sources, SIZE, [2, 3], on_image=lambda done, total: calls.append((done, total)))
        assert calls == [(done, 5) for done in range(1, 6)]

    def test_skipped_and_copied_files_are_told_or_refused(self, tmp_path):
        folder = write_images(tmp_path / "a", 2)
        shutil.copy(folder / "0-000.png", folder / "copy.png")
        (folder / "broken.png").write_bytes(b"no image")
        (part,) = read_sets([folder], SIZE, [4])
        assert (len(part.images), part.images.duplicates, len(part.images.skipped)) == (2, 1, 1)
        with pytest.raises(DataError, match=r"broken\.png"):
            read_sets([folder], SIZE, [4], strict=True)
