"""What the header of a weights file says about the training images: names of folders, tags of captions, counts.

Trainers write these for their users, and anyone who has the file can read them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from privaudit.loading.weight_files import read_header
from privaudit.model.model_files import HeaderWords

NOTES = (
    "ss_output_name",
    "ss_training_comment",
    "ss_session_name",
    "ss_sd_model_name",
    "modelspec.title",
    "modelspec.author",
    "modelspec.description",
    "modelspec.trigger_phrase",
    "modelspec.tags",
    "modelspec.usage_hint",
    "name",
    "software",
)
"""Texts that name a person, a subject or a place more often than not."""


def read_header_words(path: Path) -> HeaderWords:
    """Read what a header says about the training images.

    Args:
        path: Safetensors file of any kind.

    Returns:
        Folders, tags, number of images and further texts; empty if it says nothing.
    """
    metadata = {key: value for key, value in read_header(path)[1].items() if isinstance(value, str)}
    folders: dict[str, int] = {}
    tags: set[str] = set()
    for folder, images, words in _folders(metadata):
        folders[folder] = max(folders.get(folder, 0), images)
        tags.update(words)
    notes = {key: text for key in NOTES if (text := metadata.get(key, "").strip()) not in ("", "None")}
    stated = _whole(metadata.get("ss_num_train_images"))
    return HeaderWords(
        path=str(path),
        folders=tuple(sorted(folders)),
        tags=len(tags),
        images=sum(folders.values()) or stated or None,
        notes=notes,
    )


def _folders(metadata: Mapping[str, str]) -> Iterator[tuple[str, int, set[str]]]:
    """Find each named folder, with its number of images and its tags."""
    for key in ("ss_dataset_dirs", "ss_reg_dataset_dirs"):
        for name, entry in _mapping(metadata.get(key)).items():
            yield str(name), _whole(_mapping(entry).get("img_count")), set()
    for name, counted in _mapping(metadata.get("ss_tag_frequency")).items():
        yield str(name), 0, set(map(str, _mapping(counted)))
    datasets = _parsed(metadata.get("ss_datasets"))
    for dataset in datasets if isinstance(datasets, list) else ():
        entry = _mapping(dataset)
        for name, counted in _mapping(entry.get("tag_frequency")).items():
            yield str(name), 0, set(map(str, _mapping(counted)))
        subsets = entry.get("subsets")
        for subset in subsets if isinstance(subsets, list) else ():
            parts = _mapping(subset)
            if parts.get("image_dir"):
                word = parts.get("class_tokens")
                yield str(parts["image_dir"]), _whole(parts.get("img_count")), {str(word)} if word else set()


def _parsed(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    parsed = _parsed(value)
    return parsed if isinstance(parsed, dict) else {}


def _whole(value: Any) -> int:  # noqa: ANN401 - any JSON value
    try:
        return max(0, int(value))
    except (TypeError, ValueError):
        return 0
