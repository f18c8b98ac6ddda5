"""Finds the folder of a model, or downloads a hub repository."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from privaudit.errors import TargetError
from privaudit.loading.components import first_line
from privaudit.loading.model_source import ModelSource
from privaudit.loading.recognise import explain

VARIANTS = ("fp16", "bf16", "non_ema")
"""Variants of weight files that are downloaded only on request."""
KINDS = ("*.json", "*.txt", "*.jinja", "*.safetensors", "spiece.model", "tokenizer.model")
"""Files of a component: configuration, vocabulary, chat template and weights."""
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def find_folder(source: ModelSource, components: Sequence[str], files: Sequence[str] = ("model_index.json",)) -> Path:
    """Find a folder, or download components of a hub repository; a folder needs no network.

    Args:
        source: Source with a folder, or with a hub id such as ``org/name`` and its revision; of a single file, the
            folder or id of its configuration is found.
        components: Folders of which configuration, vocabulary and safetensors weights are downloaded.
        files: Patterns of files outside these folders.

    Returns:
        The folder.

    Raises:
        TargetError: The source is neither, a revision of a folder is requested, or the hub has no such repository.
    """
    if source.config_from is not None:
        _check_single_file(source)
        configured = replace(source, path=source.config_from, config_from=None)
        return find_folder(configured, components, files)
    folder = Path(source.path).expanduser()
    if folder.is_dir():
        if source.revision is not None:
            raise TargetError(
                f"expected a revision only with a hub id, got {source.revision} with the folder {folder}; "
                "leave it out, or pass the hub id"
            )
        return folder
    if folder.exists():
        raise TargetError(explain(folder))
    if not HUB_ID.fullmatch(source.id):
        raise TargetError(
            f"expected a diffusers folder or a hub id (org/name), but {source.id} is neither; check the path"
        )
    from huggingface_hub import snapshot_download

    allowed = [*files, *(f"{component}/{kind}" for component in components for kind in KINDS)]
    ignored = [f"*.{variant}{end}*" for variant in VARIANTS if variant != source.variant for end in (".", "-")]
    try:
        copy = snapshot_download(source.id, revision=source.revision, allow_patterns=allowed, ignore_patterns=ignored)
        # A component that has only weights of a variant is read from them.
        lacking = [name for name in components if _lacks_weights(Path(copy) / name)]
        if lacking:
            wanted = [f"{name}/*{kind}" for name in lacking for kind in (".safetensors", ".json")]
            copy = snapshot_download(source.id, revision=source.revision, allow_patterns=wanted)
        return Path(copy)
    except Exception as error:  # the hub client raises a dozen classes, all of which mean that there is no copy
        raise TargetError(_hub_problem(error, source)) from error


def _check_single_file(source: ModelSource) -> None:
    path = Path(source.path).expanduser()
    if path.is_file():
        return
    what = "a folder" if path.is_dir() else "no file"
    raise TargetError(
        f"expected a single-file checkpoint with --config-from, but {path} is {what}; leave --config-from out, or "
        "pass the .safetensors file"
    )


def _hub_problem(error: Exception, source: ModelSource) -> str:
    """Say in one line why the hub gave no copy, and what to do."""
    from huggingface_hub import errors

    gated = f"{source.id} is a gated repository of the hub; accept its conditions there, and log in with hf auth login"
    # From the special to the general: some of these classes derive from others.
    answers: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
        (errors.GatedRepoError, gated),
        (errors.DisabledRepoError, f"{source.id} is disabled on the hub; pass another model"),
        (
            errors.RevisionNotFoundError,
            f"{source.id} has no revision {source.revision} on the hub; pass a branch, a tag or a commit",
        ),
        (
            errors.RepositoryNotFoundError,
            f"{source.id} is not a folder, and the hub has no such repository or does not show it; check the name, and "
            "log in with hf auth login if it is private",
        ),
        (
            (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError),
            f"{source.id} is not a folder and not in the cache of the hub, which cannot be reached; check the path, or "
            "download it where there is a network",
        ),
    )
    for kind, text in answers:
        # the client hides some answers behind "not in the cache", as their cause
        if any(isinstance(each, kind) for each in (error, error.__cause__)):
            return f"cannot load the model: {text}"
    return f"expected a folder or a hub id, but {source.id} is not a folder and the hub answered: {first_line(error)}"


def _lacks_weights(component: Path) -> bool:
    """Check for the configuration of a model without weights; schedulers and tokenizers have other configurations."""
    return (component / "config.json").is_file() and not any(component.glob("*.safetensors"))
