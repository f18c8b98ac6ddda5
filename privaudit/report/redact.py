"""A report fit to leave the machine: no folder of anyone's disk, no name of an image or a group, nothing invisible.

A folder such as ``/home/alice/patients/members`` tells who works where on what; its last part, ``members``, is enough
to recognise the set, and the hashes say exactly which one it was. Files that could not be read are single images, of
which not even the name is kept. A group is often one person: it gets a number, the most exposed the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from privaudit.compare import ComparisonResult
from privaudit.escape import escape_control
from privaudit.report.quoted import exposed_groups, quoted
from privaudit.results.audit_result import AuditFailure, AuditResult
from privaudit.storage.exact_json import decode, encode

Report = TypeVar("Report", AuditResult, AuditFailure)

LEFT_OUT = "(left out)"
"""Stands for the name of a single image."""
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_PATH = re.compile(r"(?<![\w.:/\\>-])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][^\s/\\:;,'\"()<>|]+){2,}[/\\]?")
"""What looks like an absolute path inside a sentence."""
_BEGINNING = re.compile(r"(?<!\w)(?=.)", re.DOTALL)
"""Where a path may begin in a sentence."""
_INSIDE = re.compile(r"\w")
_SETS = ("members", "nonmembers", "suspects", "canaries", "out", "config_file")
_MODELS = ("target", "reference")
"""Options that name a place on the disk."""


def redact(report: Report) -> Report:
    """Take out of a report what does not concern its readers.

    Returns:
        The same with the last part of every path only, without the names of groups, of skipped files and of images
        that an error is about, and with control characters and invisible ones shown as escapes.
    """
    values: dict[str, Any] = encode(report if isinstance(report, AuditFailure) else with_numbered_groups(report))
    unread: list[str] = [item["path"] for item in values.get("data", {}).get("skipped", ())]
    hidden: dict[str, str] = dict.fromkeys([*unread, *values.get("private", ())], LEFT_OUT)
    for place in _places(values):
        hidden.setdefault(place, base_name(place))
    named = {path: shown for path, shown in hidden.items() if path}
    lengths = sorted({len(path) for path in named}, reverse=True)

    return decode(type(report), _mapped(values, lambda text: _cleaned(_without(text, named, lengths))))


def redact_comparison(result: ComparisonResult) -> ComparisonResult:
    """Take out of a comparison what does not concern its readers.

    Returns:
        The same with the last part of every path only: of runs, models and reference models, too.
    """
    values: dict[str, Any] = encode(result)
    references = [item for item in values["allowed"] if item["kind"] == "reference"]
    for item in (values["old"], values["new"], *references):
        item |= {key: base_name(item[key]) for key in ("run", "target", "old", "new") if key in item}
    return decode(ComparisonResult, _mapped(values, _cleaned))


def with_numbered_groups(result: AuditResult) -> AuditResult:
    """Give the groups numbers for names.

    Returns:
        The same with ``group 1`` for the group on which the quoted attack does best, and so on, for every attack.
    """
    exposed = exposed_groups(quoted(result).report)
    further = sorted({group.name for report in result.attacks for group in report.groups})
    names = list(dict.fromkeys([*(group.name for group in exposed), *further]))
    width = len(str(len(names)))
    numbered = {name: f"group {number:0{width}d}" for number, name in enumerate(names, start=1)}
    return replace(
        result,
        attacks=tuple(
            replace(
                report,
                groups=tuple(
                    sorted(
                        (replace(group, name=numbered[group.name]) for group in report.groups),
                        key=lambda group: group.name,
                    )
                ),
            )
            for report in result.attacks
        ),
    )


def base_name(path: str) -> str:
    """Return the last part of a path of any system."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] or path


def _cleaned(text: str) -> str:
    return escape_control(_PATH.sub(lambda found: base_name(found[0]), text))


def _without(text: str, named: Mapping[str, str], lengths: Sequence[int]) -> str:
    """Replace whole paths, the longest first: by looking them up, since thousands of files may have been skipped."""
    pieces, start = [], 0
    for place in (found.start() for found in _BEGINNING.finditer(text)):
        if place < start:
            continue
        for length in lengths:
            end = place + length
            if end <= len(text) and text[place:end] in named and not _INSIDE.match(text, end):
                pieces += [text[start:place], named[text[place:end]]]
                start = end
                break
    return "".join([*pieces, text[start:]]) if pieces else text


def _places(values: Mapping[str, Any]) -> set[str]:
    """Paths that the report names; a hub id is none, but who knows what ``owner/model`` is after an error."""
    config, target = values["config"], values["target"]
    named = [config.get(name) for name in _SETS]
    for model, name in [
        ("target", target["id"] if isinstance(target, Mapping) else target),
        *((model, config.get(model)) for model in _MODELS),
    ]:
        local = model in values.get("folders", _MODELS)
        named += [] if isinstance(name, str) and _HUB_ID.fullmatch(name) and not local else [name]
    return {place for place in named if isinstance(place, str) and re.search(r"[/\\]", place)}


def _mapped(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return value
