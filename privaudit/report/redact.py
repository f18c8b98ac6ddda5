"""Redacts reports before they leave the machine: no folders, no names of images or groups, no invisible characters.

A folder such as ``/home/alice/patients/members`` tells who works where on what; its last part, ``members``, is enough
to recognise the set, and the hashes identify it exactly. Files that could not be read are single images, whose names
are left out, too, as are those that a trainer wrote into the header of a weights file. A group is often one person, so
groups are numbered, the most exposed first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from privaudit.compare import ComparisonResult
from privaudit.escape import escape_control
from privaudit.model.model_files import ModelFiles, short_path
from privaudit.report.quoted import exposed_groups, quoted
from privaudit.results.audit_result import AuditFailure, AuditResult
from privaudit.storage.exact_json import decode, encode

Report = TypeVar("Report", AuditResult, AuditFailure)
Saved = TypeVar("Saved", AuditResult, AuditFailure, ComparisonResult)

LEFT_OUT = "(left out)"
"""Replaces the name of a single image, and what the header of a weights file says."""
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_PATH = re.compile(r"(?<![\w.:/\\>-])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][^\s/\\:;,'\"()<>|]+){2,}[/\\]?")
"""Text that looks like a path of two parts or more inside a sentence."""
_BEGINNING = re.compile(r"(?<!\w)(?=.)", re.DOTALL)
"""Positions in a sentence at which a path may begin."""
_INSIDE = re.compile(r"\w")
_SETS = ("members", "nonmembers", "suspects", "canaries", "out", "config_file")
"""Options whose values are always paths."""
_MODELS = ("target", "reference", "config_from")
"""Options whose values are paths or ids on the Hugging Face hub."""
_FILES = ("lora", "components", "embeddings")
"""Options whose values are paths with a scale, component or word: ``PATH@0.8``, ``unet=PATH``, ``PATH@<cat-toy>``."""


def redact(report: Report) -> Report:
    """Redact a report.

    Returns:
        A copy in which every path is reduced to its last part (of a training checkpoint to its last two), groups are
        numbered, names of skipped files and of images that an error is about are left out, as is what headers of
        weights files say and the text of ``--caption``, and control and invisible characters are escaped.
    """
    shared = report if isinstance(report, AuditFailure) else _without_headers(with_numbered_groups(report))
    values: dict[str, Any] = encode(shared)
    if values.get("config", {}).get("caption"):  # it may name the person in the images
        values["config"]["caption"] = LEFT_OUT
    unread: list[str] = [item["path"] for item in values.get("data", {}).get("skipped", ())]
    hidden: dict[str, str] = dict.fromkeys([*unread, *values.get("private", ())], LEFT_OUT)
    for path in _paths(values):
        hidden.setdefault(path, base_name(path))
    for path in _model_paths(values):
        hidden.setdefault(path, short_path(path))
    named = {path: shown for path, shown in hidden.items() if path}
    lengths = sorted({len(path) for path in named}, reverse=True)
    return decode(type(report), _mapped(values, lambda text: _shortened(_without(text, named, lengths))))


def redact_comparison(result: ComparisonResult) -> ComparisonResult:
    """Reduce every path of a comparison to its last part, those of runs, models and reference models included."""
    values: dict[str, Any] = encode(result)
    references = [item for item in values["allowed"] if item["kind"] == "reference"]
    for item in (values["old"], values["new"], *references):
        item |= {key: base_name(item[key]) for key in ("run", "target", "old", "new") if key in item}
    return decode(ComparisonResult, _mapped(values, _shortened))


def escaped(report: Saved) -> Saved:
    """Escape control and invisible characters in every text of a report, so that none reaches a terminal."""
    return decode(type(report), _mapped(encode(report), escape_control))


def with_numbered_groups(result: AuditResult) -> AuditResult:
    """Replace the names of groups: ``group 1`` is the one on which the quoted attack does best."""
    exposed = exposed_groups(quoted(result).report)
    further = sorted({group.name for report in result.attacks for group in report.groups})
    names = list(dict.fromkeys([*(group.name for group in exposed), *further]))
    width = len(str(len(names)))
    numbered = {name: f"group {number:0{width}d}" for number, name in enumerate(names, start=1)}
    attacks = []
    for report in result.attacks:
        groups = (replace(group, name=numbered[group.name]) for group in report.groups)
        # In the order of the numbers: the old order could give the names away, which are often sorted.
        attacks.append(replace(report, groups=tuple(sorted(groups, key=lambda group: group.name))))
    return replace(result, attacks=tuple(attacks))


def base_name(path: str) -> str:
    """Return the last part of a path, with separators of any operating system."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] or path


def _shortened(text: str) -> str:
    return escape_control(_PATH.sub(lambda match: base_name(match[0]), text))


def _without(text: str, named: Mapping[str, str], lengths: Sequence[int]) -> str:
    """Replace the known paths in a text, the longest first."""
    pieces, start = [], 0
    # Substrings are looked up, instead of searching for one path after the other: thousands may have been skipped.
    for begin in (match.start() for match in _BEGINNING.finditer(text)):
        if begin < start:  # inside a path that has been replaced
            continue
        for length in lengths:
            end = begin + length
            if end <= len(text) and text[begin:end] in named and not _INSIDE.match(text, end):
                pieces += [text[start:begin], named[text[begin:end]]]
                start = end
                break
    return "".join([*pieces, text[start:]]) if pieces else text


def _paths(values: Mapping[str, Any]) -> set[str]:
    """Paths that the options and the target name."""
    config, target = values["config"], values["target"]
    named = [config.get(name) for name in _SETS]
    audited = target["id"] if isinstance(target, Mapping) else target
    for option, model in [("target", audited), *((option, config.get(option)) for option in _MODELS)]:
        # Only a result says which models were folders. After an error, ``owner/model`` may be either, so it is hidden.
        local = option in values.get("folders", _MODELS)
        named += [] if isinstance(model, str) and _HUB_ID.fullmatch(model) and not local else [model]
    return {path for path in named if isinstance(path, str) and re.search(r"[/\\]", path)}


def _without_headers(result: AuditResult) -> AuditResult:
    """Leave out the texts of the headers of weights files; their numbers stay."""
    files = result.target.files
    headers = tuple(
        replace(words, folders=(LEFT_OUT,) * len(words.folders), notes=dict.fromkeys(words.notes, LEFT_OUT))
        for words in files.headers
    )
    return replace(result, target=replace(result.target, files=replace(files, headers=headers)))


def _model_paths(values: Mapping[str, Any]) -> set[str]:
    """Paths of adapters, components, embeddings and whatever lay next to them."""
    config, target, named = values["config"], values["target"], []
    for option in _FILES:
        # Not parsed: after an error, an option may be anything.
        for text in _texts(config.get(option)):
            place = text.partition("=")[2] if option == "components" and "=" in text else text
            named += [place, place.rpartition("@")[0]]
    if isinstance(target, Mapping):
        files = decode(ModelFiles, target["files"])
        named += [item.path for part in (files.adapters, files.left_out, files.headers) for item in part]
        named += [*files.sources.values(), *files.embeddings.values(), *(item.audited for item in files.left_out)]
    return {path for path in named if re.search(r"[/\\]", path)}


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """List the texts in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, Mapping)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return value
