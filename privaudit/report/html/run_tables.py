"""Tables of what was run: attacks, choices, options, images, versions, times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from privaudit.auditing.option_table import flag_of, table
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.reference_option import reference_text
from privaudit.model.model_files import LeftOutKind, short_path
from privaudit.registry import summary_of
from privaudit.report.html.page_table import Cell, Column, Row, Table, count_cell, text_cell
from privaudit.report.numbers import PAGE, seconds
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.model_text import file_lines
from privaudit.report.sentences.names import (
    CRITERIA,
    attack_text,
    choice_name,
    label_text,
    selection_text,
    settings_text,
    taken_text,
)
from privaudit.report.sentences.set_text import set_lines
from privaudit.results.audit_result import AttackReport, AuditResult

KINDS = {
    "published": "published",
    "ours": "ours",
    "reference": "minus the reference model's errors",
    "learned": "fitted to other images",
}
LEFT_OUT: Mapping[LeftOutKind, str] = {
    "adapter": "an adapter in the folder",
    "average": "averaged weights, or those that were averaged",
    "variant": "weights in another precision",
    "checkpoint": "a checkpoint of the training",
    "single file": "a checkpoint in one file",
    "component": "another file was read in its place",
}
"""What was not audited, by kind."""
HARDWARE = {"name": "processor"}
"""Names of entries about the machine whose keys are not clear by themselves."""


def attack_table(result: AuditResult) -> Table:
    """List the source of each score and how it was computed."""
    columns = (
        Column("Attack"),
        Column("What it measures", "prose"),
        Column("Taken at"),
        Column("Passes per image", "number"),
        Column("Chosen or fixed", "prose"),
        Column("Parameters", "prose"),
        Column("Published in", "prose"),
    )
    rows = tuple(
        Row((
            text_cell(attack_text(report.name)),
            text_cell(summary_of(report.name) or "–", KINDS[report.kind]),
            text_cell(_where(report)),
            count_cell(report.passes),
            text_cell(selection_text(report)),
            text_cell(_named(report.parameters) or "none"),
            text_cell(report.reference),
        ))
        for report in result.attacks
    )
    return Table("attacks", "Where each score comes from", columns, rows)


def choice_table(result: AuditResult) -> Table:
    """List what was chosen for each fold, out of which values, by which criterion."""
    titles, prose = ("Attack", "What", "Chosen, by how many folds"), ("Out of", "By")
    columns = (*map(Column, titles), *(Column(title, "prose") for title in prose))
    rows = tuple(
        Row((
            text_cell(attack_text(report.name)),
            text_cell(choice_name(choice)),
            text_cell(taken_text(choice.by_fold)),
            text_cell(", ".join(label_text(label) for label in choice.search_space)),
            text_cell(CRITERIA[choice.criterion]),
        ))
        for report in result.attacks
        for choice in report.choices
    )
    return Table("choices", "What was chosen, each time on the other folds", columns, rows)


def option_table(result: AuditResult) -> Table:
    """List every option."""
    flags = {name: flag_of(name, entry) for name, entry in table(AuditOptions).items() if entry.help}
    options = {flags.get(name, name): _text(value) for name, value in result.config.items()}
    if result.config.get("reference") is None and (reference := reference_text(result.config)):
        options[flags["reference"]] = reference
    if not result.config.get("attacks"):
        options[flags["attacks"]] = "the default ones"
    return _pairs("options", "Options of the audit", "Option", options)


def data_table(result: AuditResult) -> Table:
    """Count the images of the sets, and those that were left out."""
    data = result.data
    facts = {
        words_of(data).positives: f"{data.positives}",
        "non-members": f"{data.nonmembers}",
        **({"suspects": f"{data.additional_suspects}"} if data.additional_suspects else {}),
        "duplicates removed": f"{data.duplicates_removed}",
        "images in both sets": f"{data.shared}",
        "pairs of near-duplicates": f"{data.near_duplicates}",
        **({"groups": f"{data.groups}"} if data.groups else {}),
        "unreadable files": f"{len(data.skipped)}",
        **{f"{name} read as": line for name, line in set_lines(data)},
    }
    return _pairs("images", "The images", "Images", facts)


def provenance_table(result: AuditResult) -> Table:
    """List what identifies the audit: hashes, versions, machine."""
    target = result.target
    facts = {
        "model": target.id,
        "model hash": target.hash,
        "family": target.family,
        "predicts": target.prediction_type,
        "latents": " × ".join(map(str, target.latent_shape)),
        **({"the network is told": settings_text(target.settings)} if target.settings else {}),
        **{f"hash of {name}": digest for name, digest in target.components.items()},
        "hash of the split": result.data.split_hash,
        "seed": _text(result.config.get("seed")),
        "privaudit": result.privaudit_version,
        "report schema": f"{result.schema_version}",
        "scanned": result.created,
        **{HARDWARE.get(name, name): _text(value) for name, value in result.hardware.items()},
    }
    return _pairs("provenance", "Model, software and machine", "Fact", facts)


def file_table(result: AuditResult) -> Table:
    """List the files that were read in addition to the model's own folder, and what lay next to them."""
    columns = (Column("File"), Column("What was read from it", "prose"))
    rows = tuple(Row((text_cell(name), text_cell(about))) for name, about in file_lines(result))
    left_out = tuple(
        Row((text_cell(short_path(item.path)), text_cell(f"not audited: {LEFT_OUT[item.kind]}")), quiet=True)
        for item in result.target.files.left_out
    )
    return Table("files", "Files of the model", columns, (*rows, *left_out))


def timing_table(result: AuditResult) -> Table:
    """List how long each stage took."""
    total = sum(result.timing.values())
    rows = [Row((text_cell(stage), Cell(seconds(value), order=value))) for stage, value in result.timing.items()]
    rows.append(Row((text_cell("all"), Cell(seconds(total), order=total)), chosen=True))
    caption = "Time by stage; what an earlier run had already computed is not counted"
    return Table("timing", caption, (Column("Stage"), Column("Time", "number")), tuple(rows))


def _pairs(name: str, caption: str, head: str, facts: Mapping[str, str]) -> Table:
    rows = tuple(Row((text_cell(key), text_cell(value))) for key, value in facts.items())
    return Table(name, caption, (Column(head), Column("Value")), rows)


def _where(report: AttackReport) -> str:
    parts = [f"{report.latents} latents"]
    if report.levels_by_fold:
        levels = "/".join(f"{level:g}" for level in sorted(set(report.levels_by_fold)))
        parts.append(f"{report.axis} {levels}")
    if report.log_snr is not None:
        parts.append(f"log SNR {PAGE.number(report.log_snr, 2)}")
    if report.order is not None:
        parts.append(f"order {report.order:g}")
    return ", ".join(parts)


def _named(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in parameters.items() if value not in (None, "", [], ()))


def _text(value: Any) -> str:  # noqa: ANN401 - of any option
    if value is None:
        return "not given"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else f"{value}"
    return value if isinstance(value, str) else json.dumps(value)
