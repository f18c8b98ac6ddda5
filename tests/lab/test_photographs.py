import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from privaudit.data import read_set, sample_id
from privaudit.errors import DataError
from privaudit.lab import demo_target
from privaudit.lab.photographs import COLUMNS, CROP, FOLDER, Crop, cut_sheet, list_crops, pack_sheet, unpack


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 2 * COLUMNS + 3), seed=st.integers(0, 9))
def test_cutting_undoes_packing(count: int, seed: int) -> None:
    crops = np.random.default_rng(seed).integers(0, 256, (count, CROP, CROP, 3), dtype=np.uint8)
    sheet = pack_sheet(crops)
    assert sheet.shape == (-(-count // COLUMNS) * CROP, COLUMNS * CROP, 3)
    np.testing.assert_array_equal(cut_sheet(sheet, count), crops)
    assert not cut_sheet(sheet, 10**6)[count:].any()
    np.testing.assert_array_equal(sheet[:CROP, CROP : 2 * CROP], crops[1] if count > 1 else 0 * crops[0])


def test_the_shipped_crops_are_listed_once() -> None:
    crops = list_crops()
    assert len(crops) == 2773
    assert len({crop.id for crop in crops}) == len({crop.name for crop in crops}) == 2773
    assert {crop.source for crop in crops} == {path.stem for path in FOLDER.glob("*.webp")}


@pytest.fixture
def one_sheet(tmp_path: Path) -> Path:
    """A folder with the shipped sheet of one photograph."""
    table = pd.read_csv(FOLDER / "crops.csv", dtype=str)
    table[table["source"] == "rocket"].to_csv(tmp_path / "crops.csv", index=False)
    shutil.copy(FOLDER / "rocket.webp", tmp_path)
    return tmp_path


def test_every_shipped_crop_decodes_to_its_id() -> None:
    seen: list[Crop] = []
    assert unpack(lambda crop: seen.append(crop)) == 0
    assert tuple(seen) == list_crops()


def test_unpacked_files_have_the_recorded_ids(one_sheet: Path, tmp_path: Path) -> None:
    crops = list_crops(one_sheet)
    wanted = {crop.name: crop.id for crop in crops[:5]}
    out = tmp_path / "out"
    assert unpack(lambda crop: out / crop.name if crop.name in wanted else None, one_sheet) == 5
    assert {sample.path.name: sample.id for sample in read_set(out, (CROP, CROP)).samples} == wanted


@pytest.mark.parametrize("tamper", ["pixel", "id"])
def test_a_changed_sheet_or_list_is_an_error(one_sheet: Path, tamper: str) -> None:
    if tamper == "pixel":
        with Image.open(one_sheet / "rocket.webp") as sheet:
            pixels = np.asarray(sheet.convert("RGB")).copy()
        pixels[40, 40, 0] ^= 1
        Image.fromarray(pixels).save(one_sheet / "rocket.webp", lossless=True, exact=True)
    else:
        text = (one_sheet / "crops.csv").read_text()
        crop = list_crops(one_sheet)[3].id
        (one_sheet / "crops.csv").write_text(text.replace(crop, sample_id(np.zeros((1, 1, 3), np.uint8))))
    with pytest.raises(DataError, match="the shipped crop rocket-.* does not decode to its recorded pixels; reinstall"):
        unpack(lambda crop: None, one_sheet)


def test_demo_images_are_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = list_crops()
    sets = ["members", "heldout"] * 3 + ["auxiliary"] * (len(crops) - 6)
    split = tmp_path / "split.csv"
    pd.DataFrame({"id": [crop.id for crop in crops], "set": sets}).to_csv(split, index=False)
    monkeypatch.setattr(demo_target, "SPLIT", split)
    found = demo_target.unpack_demo_images(tmp_path / "images")
    for folder, wanted in ((found.members, crops[0:6:2]), (found.nonmembers, crops[1:6:2])):
        assert {s.id for s in read_set(folder, (CROP, CROP)).samples} == {crop.id for crop in wanted}
    monkeypatch.setattr(demo_target, "unpack", lambda place: pytest.fail("unpacked twice"))
    assert demo_target.unpack_demo_images(tmp_path / "images") == found
