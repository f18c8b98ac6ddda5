"""Folders, tags and counts in the headers of trainers are counted, whatever their form, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import adapter_files
import pytest
import torch

from privaudit.loading.adapters import read_header_words
from privaudit.model.model_files import HeaderWords


def words(folder: Path, **metadata: object) -> HeaderWords:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    return read_header_words(adapter_files.save(folder / "style.safetensors", {"a": torch.ones(1)}, texts))


def test_kohya_names_folders_tags_and_images(tmp_path: Path) -> None:
    header = words(
        tmp_path,
        ss_dataset_dirs={"10_anna smith": {"n_repeats": 10, "img_count": 12}, "1_beach": {"img_count": 30}},
        ss_reg_dataset_dirs={"1_woman": {"img_count": 100}},
        ss_tag_frequency={"10_anna smith": {"1girl": 12, "smile": 3}, "1_beach": {"smile": 1, "sand": 4}},
        ss_output_name="anna_v2",
        ss_training_comment="None",
    )
    assert header.folders == ("10_anna smith", "1_beach", "1_woman")
    assert (header.tags, header.images) == (3, 142)
    assert header.notes == {"ss_output_name": "anna_v2"}
    assert header.says_something


def test_data_sets_of_a_configuration_file(tmp_path: Path) -> None:
    subset = {"image_dir": "/home/anna/photos", "img_count": 7, "class_tokens": "sks woman"}
    data_set = {"tag_frequency": {"photos": {"garden": 2}}, "subsets": [subset, {"image_dir": None}]}
    header = words(tmp_path, ss_datasets=[data_set])
    assert header.folders == ("/home/anna/photos", "photos")
    assert (header.tags, header.images) == (2, 7)


def test_a_number_of_images_alone(tmp_path: Path) -> None:
    assert words(tmp_path, ss_num_train_images="25").images == 25


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"format": "pt"},
        {"ss_dataset_dirs": "{broken", "ss_tag_frequency": "[1, 2]", "ss_datasets": "null", "ss_num_train_images": "x"},
        {"ss_datasets": [1, {"subsets": "none"}], "ss_dataset_dirs": []},
    ],
)
def test_a_header_that_says_nothing(tmp_path: Path, metadata: dict) -> None:
    header = words(tmp_path, **metadata)
    assert not header.says_something
    assert (header.folders, header.tags, header.images, dict(header.notes)) == ((), 0, None, {})


def test_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    path.write_bytes(b"\xff" * 40)
    assert not read_header_words(path).says_something
