import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from privaudit.canaries import draw_canaries, key_of_seed, read_canaries, toss, verify_canaries
from privaudit.canaries.read import hash_file
from privaudit.data import read_set
from privaudit.errors import ConfigError, DataError


def rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(newline="") as file:
        return list(csv.DictReader(file))


def a_manifest(folder: Path, **columns: list[str]) -> Path:
    """Of all pictures below a folder, with further columns."""
    path = folder / "all.csv"
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.png"))
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", *columns])
        table.writerows(zip(files, *columns.values(), strict=True))
    return path


def test_every_candidate_gets_its_own_coin(candidates: Path, tmp_path: Path) -> None:
    drawn = draw_canaries(candidates, tmp_path / "out", seed=3)
    assert len(drawn.assignment.candidates) == 24
    key = key_of_seed(3)
    for candidate in drawn.assignment.candidates:
        file = tmp_path / "out" / candidate.path
        assert hash_file(file) == candidate.sha256
        assert candidate.included == toss(key, candidate.sha256)
    assert drawn.included == sum(c.included for c in drawn.assignment.candidates)
    assert (drawn.unreadable, drawn.copies, drawn.similar, drawn.grouped) == ((), 0, 0, 0)


def test_without_a_seed_every_drawing_is_another_one(candidates: Path, tmp_path: Path) -> None:
    one, other = (draw_canaries(candidates, tmp_path / name).assignment for name in ("one", "other"))
    assert one.key != other.key
    assert one.seal != other.seal
    assert not one.seeded
    assert draw_canaries(candidates, tmp_path / "seeded", seed=0).assignment.seeded


def test_names_and_order_decide_nothing(candidates: Path, tmp_path: Path) -> None:
    one = draw_canaries(candidates, tmp_path / "one", seed=0).assignment
    for number, file in enumerate(sorted(candidates.rglob("*.png"), reverse=True)):
        file.rename(candidates / f"renamed-{number:02d}.png")
    other = draw_canaries(candidates, tmp_path / "other", seed=0).assignment
    assert other.seal == one.seal


def test_the_manifest_names_the_included_ones_for_the_loader(candidates: Path, tmp_path: Path) -> None:
    drawn = draw_canaries(candidates, tmp_path / "out", seed=0)
    train = read_set(tmp_path / "out" / "train.csv", (32, 32))
    included = {c.sha256 for c in drawn.assignment.candidates if c.included}
    assert {hash_file(sample.path) for sample in train.samples} == included
    assert {sample.label for sample in train.samples} == {name[:16] for name in included}
    assert set(rows(tmp_path / "out" / "train.csv")[0]) == {"path", "id"}


def test_what_is_public_gives_no_coin_away(candidates: Path, tmp_path: Path) -> None:
    drawn = draw_canaries(candidates, tmp_path / "out")
    text = (tmp_path / "out" / "seal.json").read_text()
    public = json.loads(text)
    assert (public["seal"], public["candidates"]) == (drawn.assignment.seal, 24)
    assert drawn.assignment.key not in text
    assert not any(c.sha256 in text or c.path in text for c in drawn.assignment.candidates)


def test_copies_can_be_handed_over_alone(candidates: Path, tmp_path: Path) -> None:
    drawn = draw_canaries(candidates, tmp_path / "out", seed=0, copy=True)
    found = sorted((tmp_path / "out" / "train").iterdir())
    assert {hash_file(path) for path in found} == {c.sha256 for c in drawn.assignment.candidates if c.included}
    assert {row["path"] for row in rows(tmp_path / "out" / "train.csv")} == {f"train/{path.name}" for path in found}
    verify_canaries(tmp_path / "out")
    found[0].write_bytes(b"another")
    read_canaries(tmp_path / "out")  # an audit reads the candidates themselves
    with pytest.raises(DataError, match=r"train\.csv to list the \d+ included canaries"):
        verify_canaries(tmp_path / "out")


def test_captions_and_ids_of_a_manifest_are_kept(candidates: Path, tmp_path: Path) -> None:
    captions = [f"a, b {i}" if i % 2 else "" for i in range(24)]
    manifest = a_manifest(candidates, caption=captions, id=[f"n{i}" for i in range(24)])
    drawn = draw_canaries(manifest, tmp_path / "out", seed=0)
    by_label = {c.label: c for c in drawn.assignment.candidates}
    assert by_label["n3"].caption == "a, b 3"
    assert by_label["n4"].caption is None
    train = {row["id"]: row for row in rows(tmp_path / "out" / "train.csv")}
    assert set(train) == {label for label, c in by_label.items() if c.included}
    assert all(row["caption"] == (by_label[label].caption or "") for label, row in train.items())
    canaries = verify_canaries(tmp_path / "out")
    assert {entry.label: entry.caption for entry in canaries.included + canaries.excluded} == {
        label: c.caption for label, c in by_label.items()
    }


def test_class_labels_are_refused_and_not_lost(candidates: Path, tmp_path: Path) -> None:
    manifest = a_manifest(candidates, class_label=[3] * 24)
    with pytest.raises(DataError, match="expected candidates without class labels in .*, got a column class_label"):
        draw_canaries(manifest, tmp_path / "out", seed=0)


def test_captions_survive_the_manifest_to_the_last_character(candidates: Path, tmp_path: Path) -> None:
    files = sorted(candidates.rglob("*.png"))
    captions = [' a "cat", b\nc ', "=1+1", "x"] * 8
    lines = [json.dumps({"path": str(file), "caption": text}) for file, text in zip(files, captions, strict=True)]
    (tmp_path / "all.jsonl").write_text("\n".join(lines))
    drawn = draw_canaries(tmp_path / "all.jsonl", tmp_path / "out", seed=0)
    wanted = {c.sha256: c.caption for c in drawn.assignment.candidates if c.included}
    train = read_set(tmp_path / "out" / "train.csv", (32, 32))
    assert {hash_file(sample.path): sample.caption for sample in train.samples} == wanted
    verify_canaries(tmp_path / "out")


def test_links_keep_their_names(candidates: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked" / "deep"
    linked.mkdir(parents=True)
    for number, file in enumerate(sorted(candidates.rglob("*.png"))):
        store = tmp_path / f"object-{number}"
        file.rename(store)
        (linked / f"{number:02d}.png").symlink_to(store)
    (tmp_path / "out").symlink_to(tmp_path / "true" / "place", target_is_directory=True)
    (tmp_path / "true" / "place").mkdir(parents=True)
    drawn = draw_canaries(linked, tmp_path / "out", seed=0, copy=True)
    assert all(c.path.startswith("../../linked/deep/") for c in drawn.assignment.candidates)
    assert {path.suffix for path in (tmp_path / "out" / "train").iterdir()} == {".png"}
    assert len(verify_canaries(tmp_path / "out")) == 24


def test_copies_near_duplicates_groups_and_broken_files_are_left_out(candidates: Path, tmp_path: Path) -> None:
    shutil.copy(candidates / "a" / "01.png", candidates / "copy.png")
    Image.open(candidates / "b" / "02.png").save(candidates / "similar.jpg", quality=95)
    (candidates / "broken.png").write_bytes(b"no image")
    drawn = draw_canaries(candidates, tmp_path / "out", seed=0)
    assert (len(drawn.unreadable), drawn.copies, drawn.similar, drawn.grouped) == (1, 1, 1, 0)
    assert drawn.unreadable[0].path.name == "broken.png"
    assert len(drawn.assignment.candidates) == 24
    assert len({c.sha256 for c in drawn.assignment.candidates}) == 24


def test_one_image_of_a_group_stays(candidates: Path, tmp_path: Path) -> None:
    manifest = a_manifest(candidates, group=["one", "one", "one", "two", "two", *[""] * 19])
    drawn = draw_canaries(manifest, tmp_path / "out", seed=0)
    assert drawn.grouped == 3
    assert len(drawn.assignment.candidates) == 21


def test_coins_are_tossed_once(candidates: Path, tmp_path: Path) -> None:
    draw_canaries(candidates, tmp_path / "out")
    before = (tmp_path / "out" / "canaries.json").read_text()
    with pytest.raises(ConfigError, match=r"expected a folder without canaries, but .* coins are tossed only once"):
        draw_canaries(candidates, tmp_path / "out")
    assert (tmp_path / "out" / "canaries.json").read_text() == before


def test_copies_of_an_interrupted_drawing_are_not_mixed_in(candidates: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "train").mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds train"):
        draw_canaries(candidates, tmp_path / "out", copy=True)


def test_too_few_candidates(candidates: Path, tmp_path: Path) -> None:
    for file in sorted(candidates.rglob("*.png"))[9:]:
        file.unlink()
    (candidates / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"at least 10 distinct candidates in .*, got 9 \(left out: 1 unreadable, 0"):
        draw_canaries(candidates, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_candidates_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="got 0"):
        draw_canaries(tmp_path / "empty", tmp_path / "out")
