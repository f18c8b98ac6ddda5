"""Which model was audited, in words: its base, what was merged into it, and what its files say by themselves."""

from __future__ import annotations

from collections.abc import Mapping

from privaudit.auditing.reference_option import reference_text
from privaudit.model.model_files import HeaderWords, MergedAdapter, ModelFiles, short_path
from privaudit.report.numbers import counted, listed
from privaudit.results.audit_result import AuditResult, TargetReport

MAX_NAMED = 2
"""Maximum number of parts that the name of a model lists."""


def model_name(target: TargetReport) -> str:
    """Name a model: ``base``, ``base + style.safetensors``, ``base + checkpoint-500/unet``.

    Returns:
        Last part of the path of the base, and of whatever was merged or replaced in it.
    """
    places = dict.fromkeys(target.files.sources.values())
    base = short_path(target.id)
    replaced = [] if base in map(short_path, places) else [short_path(place) for place in places]
    parts = [*replaced, *(short_path(adapter.path) for adapter in target.files.adapters)]
    if len(parts) > MAX_NAMED:
        parts = [counted(len(parts), "part")]
    return " + ".join([base, *parts])


def file_lines(result: AuditResult) -> tuple[tuple[str, str], ...]:
    """Say which files the model was read from, if it was more than one folder.

    Returns:
        Name of the file and what was read from it; none for a model that was read from its folder alone.
    """
    files, configured = result.target.files, result.config.get("config_from")
    adapters = [(short_path(adapter.path), _about(adapter)) for adapter in files.adapters]
    sources = [(short_path(place), listed(names)) for place, names in _inverted(files.sources).items()]
    embeddings = [
        (short_path(file), f"embedding for {listed(words)}") for file, words in _inverted(files.embeddings).items()
    ]
    if configured is not None:
        sources.append((short_path(str(configured)), "configuration"))
    return (*sources, *adapters, *embeddings)


def audited_text(result: AuditResult) -> str:
    """Say in a sentence what was audited if it was more than one folder; empty otherwise."""
    base, lines = short_path(result.target.id), file_lines(result)
    if not lines:
        return ""
    of_base = "; ".join(about for name, about in lines if name == base)  # of a single file, which is base and source
    further = "; ".join(f"{name} ({about})" for name, about in lines if name != base)
    return f"Audited: {base}{f' ({of_base})' if of_base else ''}{' with ' if further else ''}{further}."


def unmerged_line(target: TargetReport) -> str:
    """Say that the finding is about the model without the adapters in its folder; empty if none was left out."""
    names = [short_path(item.path) for item in target.files.left_out if item.kind == "adapter"]
    if not names:
        return ""
    adapters = listed(names) if len(names) <= MAX_NAMED else counted(len(names), "adapter")
    was = "was" if len(names) == 1 else "were"
    return f"This is about {model_name(target)} alone: {adapters} in its folder {was} not merged."


def reference_line(result: AuditResult) -> str:
    """Name the model whose errors are subtracted; empty without one."""
    named = reference_text(result.config)
    return "" if named is None else f"NAME-reference: errors minus those of {named}"


def header_lines(files: ModelFiles) -> tuple[str, ...]:
    """Say what the headers of the files tell about the training images, in a sentence per file."""
    return tuple(
        f"The header of {short_path(words.path)} {_says(words)}. Anyone who has the file can read this, whatever the "
        "attacks find."
        for words in files.headers
    )


def header_advice(files: ModelFiles) -> tuple[str, ...]:
    """Say how to remove the headers that tell about the training images."""
    names = [short_path(words.path) for words in files.headers]
    if not names:
        return ()
    return (
        f"Save {listed(names)} without metadata before you share it: load_file and save_file of safetensors.torch "
        "drop the header. Keep only the entry lora_adapter_metadata if there is one, which holds alpha.",
    )


def _about(adapter: MergedAdapter) -> str:
    layers = listed([f"{counted(count, 'layer')} of {name}" for name, count in adapter.layers.items()])
    return f"{adapter.kind} at scale {adapter.scale:g}, {layers}{_ranks(adapter.ranks)}"


def _ranks(ranks: tuple[int, int] | None) -> str:
    if ranks is None:
        return ""
    low, high = ranks
    return f", rank {low}" if low == high else f", rank {low} to {high}"


def _says(words: HeaderWords) -> str:
    counts = {"folder": len(words.folders), "tag": words.tags, "further text": len(words.notes)}
    names = [counted(count, noun) for noun, count in counts.items() if count]
    parts = [f"names {listed(names)}"] if names else []
    if words.images:
        parts.append(f"counts {counted(words.images, 'training image')}")
    return " and ".join(parts)


def _inverted(names: Mapping[str, str]) -> dict[str, list[str]]:
    """Group names by their file."""
    groups: dict[str, list[str]] = {}
    for name, file in names.items():
        groups.setdefault(file, []).append(name)
    return groups
