import json
import shutil
from pathlib import Path

import pytest

from privaudit.canaries import draw_canaries, read_canaries, verify_canaries
from privaudit.data import read_listing
from privaudit.data.listed import Listing
from privaudit.errors import DataError, ResultError


@pytest.fixture
def drawn(candidates: Path, tmp_path: Path) -> Path:
    draw_canaries(candidates, tmp_path / "out", seed=0)
    return tmp_path / "out"


def edit(folder: Path, change: object) -> None:
    file = folder / "canaries.json"
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))


def test_both_sides_go_through_the_loader(drawn: Path) -> None:
    canaries = read_canaries(drawn)
    values = json.loads((drawn / "canaries.json").read_text())
    assert len(canaries) == 24
    assert len(canaries.included) == sum(c["included"] for c in values["candidates"])
    assert (canaries.seal, canaries.created, canaries.seeded) == (values["seal"], values["created"], True)
    members, nonmembers = (
        read_listing(Listing("canaries", tuple(side)), (32, 32), "the canaries")
        for side in (canaries.included, canaries.excluded)
    )
    assert len(members) + len(nonmembers) == 24
    assert not {s.id for s in members.samples} & {s.id for s in nonmembers.samples}
    assert read_canaries(drawn / "canaries.json") == canaries


def test_a_moved_folder_still_finds_its_images(drawn: Path, candidates: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.move(drawn, tmp_path / "elsewhere" / "out")
    shutil.move(candidates, tmp_path / "elsewhere" / "candidates")
    assert len(verify_canaries(tmp_path / "elsewhere" / "out")) == 24


def test_progress_is_reported(drawn: Path) -> None:
    seen: list[tuple[int, int]] = []
    read_canaries(drawn, on_image=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 24) for i in range(1, 25)]


def test_a_changed_and_a_missing_file_are_named(drawn: Path, candidates: Path) -> None:
    changed = candidates / "a" / "01.png"
    changed.write_bytes(changed.read_bytes() + b"\0")
    with pytest.raises(DataError, match=r"but .*a/01\.png was changed; restore the files"):
        read_canaries(drawn)
    (candidates / "a" / "03.png").unlink()
    with pytest.raises(DataError, match=r"but .*\.png (was changed|is missing) \(and 1 more\); restore the files"):
        read_canaries(drawn)


def test_a_flipped_coin_is_named(drawn: Path) -> None:
    path = json.loads((drawn / "canaries.json").read_text())["candidates"][5]["path"]
    edit(drawn, lambda values: values["candidates"][5].update(included=not values["candidates"][5]["included"]))
    with pytest.raises(DataError, match=f"1 of \\d+ differ, the first for {path}"):
        read_canaries(drawn)


def test_a_published_seal_of_another_drawing(drawn: Path) -> None:
    with pytest.raises(DataError, match="expected the published seal 0000"):
        read_canaries(drawn, "0" * 64)


@pytest.mark.parametrize("change", ["a line less", "an excluded one", "a missing file"])
def test_a_changed_manifest_is_found(drawn: Path, change: str) -> None:
    manifest = drawn / "train.csv"
    lines = manifest.read_text().splitlines()
    if change == "a line less":
        lines.pop()
    elif change == "an excluded one":
        excluded = read_canaries(drawn).excluded[0]
        lines.append(f"{excluded.path},{excluded.label}")
    else:
        lines.append("nowhere.png,x")
    manifest.write_text("\n".join(lines) + "\n")
    message = "missing; restore it" if change == "a missing file" else "files or captions differ"
    with pytest.raises(DataError, match=message):
        verify_canaries(drawn)
    assert len(read_canaries(drawn)) == 24


def test_the_manifest_may_have_been_handed_over(drawn: Path) -> None:
    (drawn / "train.csv").unlink()
    assert len(verify_canaries(drawn)) == 24


def test_no_assignment(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a canaries\.json from 'privaudit canaries make' at .*, found none"):
        read_canaries(tmp_path)


def test_files_that_are_no_assignment(drawn: Path) -> None:
    edit(drawn, lambda values: values.pop("key"))
    with pytest.raises(ResultError, match="expected the key key at"):
        read_canaries(drawn)
    for text, message in (("{", "expected JSON from"), ("[]", "expected a JSON object from")):
        (drawn / "canaries.json").write_text(text)
        with pytest.raises(DataError, match=message):
            read_canaries(drawn)


def test_a_public_file_of_another_drawing(drawn: Path) -> None:
    (drawn / "seal.json").write_text('{"seal": "0"}')
    with pytest.raises(DataError, match=r"expected the seal \w{12} in .*seal\.json, got another one"):
        verify_canaries(drawn)
    (drawn / "seal.json").unlink()
    assert len(verify_canaries(drawn)) == 24
